internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime

/// Rates a month, in order and out of it, and makes and checks the statements.
struct RateRun {
  let options: RateOptions

  init(_ options: RateOptions) {
    self.options = options
  }

  func report() async throws -> BenchReport {
    var report = BenchReport()
    let rater = Rater(try RateDataset.book())
    let charges = try inOrder(rater, &report)
    try await close(expecting: charges.cost, &report)
    let shuffled = RateDataset(options, isShuffled: true)
    let again = try rate(shuffled, rater)
    guard again.cost == charges.cost, again.count == charges.count else {
      throw BenchFailure("usage in another order has other charges")
    }
    report.append("charges of usage in no order", again.figures)
    return report
  }

  private func inOrder(_ rater: Rater, _ report: inout BenchReport) throws -> Rated {
    let sorted = RateDataset(options, isShuffled: false)
    let charges = try rate(sorted, rater)
    report.append("charges", charges.figures)
    report.append("statements", try state(sorted, rater, expected: charges.cost))
    return charges
  }

  private func close(expecting cost: Cost, _ report: inout BenchReport) async throws {
    let directory = try BenchDirectory(below: options.directory)
    try StateLock.makeDirectory("\(directory.path)/state")
    let run = RateStoreRun(
      options: options, path: "\(directory.path)/state/usage.sqlite", expected: cost)
    let made = await blocking { Result { try run.close() } }
    let (closed, figures) = try made.get()
    report.append("statements closed from a usage database", figures)
    if options.focus {
      try await RateAnswers(options: options, directory: directory, closed: closed).report(&report)
    }
  }

  private struct Rated {
    let cost: Cost
    let count: Int
    let figures: [Figure]
  }

  private func rate(_ dataset: RateDataset, _ rater: Rater) throws -> Rated {
    var cost: Cost? = .zero
    var count = 0
    var used: Int128 = 0
    var carried = RatingState()
    let (elapsed, cpu) = try timed {
      try rater.rate(dataset.rows, carried: &carried, settled: RateDataset.period) { charge in
        cost = cost?.adding(charge.cost)
        used += charge.quantity.attos
        count += 1
      }
    }
    guard let cost, used == dataset.used else {
      throw BenchFailure("the charges are not of all usage")
    }
    return Rated(
      cost: cost, count: count,
      figures: [
        Figure("aggregates", dataset.rows.count, "aggregates"), Figure("charges", count, "charges"),
        .seconds("elapsed", elapsed),
        .cpu("cpu", cpu, per: "aggregates", UInt64(dataset.rows.count)),
        Figure("carried", carried.meters.count, "subscriptions and meters"),
      ])
  }

  /// Rates again, into statements: one at a time is held.
  private func state(_ dataset: RateDataset, _ rater: Rater, expected: Cost) throws -> [Figure] {
    var lines = 0
    var count = 0
    var charged: Cost? = .zero
    var failure: (any Error)?
    let (elapsed, cpu) = try timed {
      var carried = RatingState()
      var builder: StatementBuilder?
      func close() throws {
        guard let draft = try builder?.draft(settles: true).statement else { return }
        let statement = try draft.closed(number: String(count))
        count += 1
        lines += statement.lines.count
        guard statement.total != nil else { throw BenchFailure("a statement has no total") }
        for line in statement.lines { charged = charged?.adding(line.cost) }
      }
      try rater.rate(dataset.rows, carried: &carried, settled: RateDataset.period) { charge in
        guard failure == nil else { return }
        do {
          if builder?.subscription.id != charge.subscription {
            try close()
            builder = StatementBuilder(
              rater, subscription: charge.subscription, period: RateDataset.period)
          }
          try builder?.add(charge)
        } catch { failure = error }
      }
      try close()
    }
    if let failure { throw failure }
    guard charged == expected, count == options.subscriptions else {
      throw BenchFailure("the statements do not tie to the charges")
    }
    return [
      Figure("statements", count, "statements"), Figure("lines", lines, "lines"),
      .seconds("elapsed", elapsed),
      .cpu("cpu", cpu, per: "aggregates", UInt64(dataset.rows.count)),
    ]
  }

  private func timed(_ body: () throws -> Void) throws -> (elapsed: Duration, cpu: Duration) {
    let before = ProcessFigures.ofThisProcess().cpu
    let elapsed = try ContinuousClock().measure(body)
    return (elapsed, ProcessFigures.ofThisProcess().cpu - before)
  }
}
