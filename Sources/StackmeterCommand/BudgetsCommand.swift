internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter budgets`.
struct BudgetsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budgets", abstract: "Show how budgets stand, and the alerts of theirs.",
    discussion: """
      Budgets are those of the file that the setting budgets.file names. They are looked at when a reporting window is \
      closed, so an hour may pass until a new one is shown.
      """)

  @OptionGroup var options: SettingsOptions
  @Option(help: "Only those of a billing period, such as 2026-11.")
  var period: String?

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let request = ListBudgetsRequest(caller: .operator, period: period ?? "")
      let budgets = try await withService("query", of: settings) { channel in
        try await Self.all(QueryClient(channel), request)
      }
      StandardStream.output.write(Self.table(budgets))
    }
  }

  private static func all(
    _ query: QueryClient, _ first: ListBudgetsRequest
  ) async throws -> [BudgetEntry] {
    var budgets: [BudgetEntry] = []
    var request = first
    repeat {
      let page = try await query.listBudgets(request)
      budgets += page.budgets
      request.after = page.nextAfter
    } while !request.after.isEmpty
    return budgets
  }

  static func table(_ budgets: [BudgetEntry]) -> String {
    guard !budgets.isEmpty else {
      return
        "there is no budget yet; budgets are read from the file that the setting budgets.file names\n"
    }
    var table = Table([
      .init("PERIOD"), .init("BUDGET"), .init("AMOUNT", .decimal), .init("SPENT", .decimal),
      .init("FORECAST", .decimal), .init("CURRENCY"), .init("REACHED"), .init("ALERTS"),
    ])
    for entry in budgets {
      guard let value = try? JSONValue(parsing: entry.document, limits: .event),
        let budget = JSONObject(value, path: "")
      else { continue }
      func text(_ name: String) -> String { budget[name]?.string ?? "" }
      let delivered = entry.alerts.filter { $0.delivered != nil }.count
      let told = entry.alerts.isEmpty ? "-" : "\(delivered) of \(entry.alerts.count) delivered"
      table.append([
        text("period"), text("budget"), text("amount"), rounded(text("spent")), text("forecast"),
        text("currency"), reached(budget), told,
      ])
    }
    var text = terminalText(table.lines().joined(separator: "\n")) + "\n"
    for alert in budgets.flatMap(\.alerts) where !alert.problem.isEmpty && alert.delivered == nil {
      text +=
        terminalText("\(alert.id): not delivered after \(alert.attempts) tries: \(alert.problem)")
        + "\n"
    }
    return text
  }

  /// What is spent is exact; people need no more than six digits of it.
  private static func rounded(_ spent: String) -> String {
    let parts = spent.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].utf8.count > 6 else { return spent }
    return "\(parts[0]).\(parts[1].prefix(6))…"
  }

  private static func reached(_ budget: JSONObject) -> String {
    guard case .array(let thresholds)? = budget["thresholds"] else { return "" }
    let reached = thresholds.compactMap { value -> String? in
      guard let threshold = JSONObject(value, path: ""), threshold["reached"] == .bool(true) else {
        return nil
      }
      return "\(threshold["percent"]?.string ?? "")% \(threshold["basis"]?.string ?? "")"
    }
    return reached.isEmpty ? "-" : reached.joined(separator: ", ")
  }
}
