internal import StackmeterBilling
package import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime
internal import StackmeterStore

/// Looks at budgets whenever a window was closed, or their file was changed, and writes down how they stand and which
/// of their thresholds are reached.
package struct BudgetWatch: Sendable {
  package static let checkInterval: Duration = .seconds(10)

  private let path: String
  private let source: String
  private let billing: BillingConfiguration
  private let clock: any WallClock
  private let interval: Duration
  private var version: FileVersion?
  private var wasRead = false
  private var budgets: [Budget] = []
  /// The windows before it were looked at; nil where all must be looked at again.
  private var seen: Hour?

  /// - Parameters:
  ///   - path: The file of budgets; it may be missing.
  ///   - source: Names the installation in the events of alerts.
  package init(
    path: String, source: String, billing: BillingConfiguration, clock: any WallClock,
    checkInterval: Duration = BudgetWatch.checkInterval
  ) {
    self.path = path
    self.source = source
    self.billing = billing
    self.clock = clock
    interval = checkInterval
  }

  /// Watches until cancelled.
  package func run(_ aggregator: Aggregator) async throws(CancellationError) {
    var watch = self
    while true {
      await watch.look(aggregator)
      do { try await Task.sleep(for: interval) } catch { throw CancellationError() }
    }
  }

  private mutating func look(_ aggregator: Aggregator) async {
    let problems = read()
    guard wasRead else { return aggregator.note(budgetProblems: problems) }
    let asked = self
    let found = await blocking { asked.evaluate() }
    switch found {
    case .success(nil): aggregator.note(budgetProblems: problems)
    case .success(let (evaluation, open)?):
      do throws(StoreError) {
        try await aggregator.put(evaluation)
        seen = open
        aggregator.note(budgetProblems: problems)
      } catch {
        aggregator.note(
          budgetProblems: problems + ["budgets cannot be kept: \(error.message)"])
      }
    case .failure(let problem):
      aggregator.note(budgetProblems: problems + ["budgets: \(problem)"])
    }
  }

  /// Reads the file where it has changed; what is wrong with it. The last good one stays in force.
  private mutating func read() -> [String] {
    let found = FileVersion(path)
    guard found != version || (found == nil && wasRead) else { return [] }
    guard found != nil || wasRead else { return [] }
    do {
      let file = try BudgetFile(parsing: fileContent(path, bytesMax: BudgetLimits.fileBytesMax))
      version = found
      wasRead = true
      seen = nil
      budgets = file.budgets
      return []
    } catch let error as BudgetFileError {
      return error.problems.map { "the budgets stay as they were: \(path):\($0)" }
    } catch {
      return ["the budgets stay as they were: \(error)"]
    }
  }

  /// Nil where no window was closed since the last look, or there is no card.
  private func evaluate() -> Result<(BudgetEvaluation, Hour)?, BudgetEvaluation.Problem> {
    do throws(BudgetEvaluation.Problem) {
      let reader: any UsageReader
      let cards: RateCards?
      let open: Hour
      do throws(StoreError) {
        reader = try billing.open()
        open = try reader.openWindow()
        cards = open == seen ? nil : try RateCards(billing.card, reader)
      } catch { throw .store(error) }
      guard let cards else { return .success(nil) }
      return .success(
        (try BudgetEvaluation(budgets, cards, reader, source: source, now: clock.now()), open))
    } catch { return .failure(error) }
  }
}

extension Aggregator {
  /// Writes down what closed windows say of budgets.
  func put(_ evaluation: BudgetEvaluation) throws(StoreError) {
    let raised = try counter.store.put(
      budgets: evaluation.budgets, of: evaluation.periods, alerts: evaluation.alerts)
    if raised > 0 { noteRaised(raised) }
  }
}
