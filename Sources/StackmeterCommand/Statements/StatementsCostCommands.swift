internal import ArgumentParser
internal import GRPCCore
internal import GatewayServer
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter statements reconcile`.
struct StatementsReconcileCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reconcile",
    abstract: "Compute the statements of a billing period again: lines = total = usage × prices.",
    discussion: """
      Of periods that are not closed, drafts of closed reporting windows. Exits with 1 where something does not tie.
      """)

  @OptionGroup var options: SettingsOptions
  @Option(help: "The billing period, such as 2026-11.")
  var period: String
  @Option(help: "Only that of a subscription; may be repeated.")
  var subscription: [String] = []
  @Flag(help: "Every check, not only those that do not hold.")
  var verbose = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let first = ReconcileRequest(
        caller: .operator, period: period, subscriptions: subscription)
      let wrong = try await withService("query", of: settings) { channel in
        let query = QueryClient(channel)
        var request = first
        var (count, wrong) = (0, 0)
        repeat {
          let page = try await query.reconcile(request)
          for statement in page.statements {
            StandardStream.output.write(Self.text(statement, verbose: verbose))
          }
          count += page.statements.count
          wrong += page.statements.count { !$0.holds }
          request.after = page.nextAfter
        } while !request.after.isEmpty
        StandardStream.output.write("\(count) statements, \(wrong) do not tie\n")
        return wrong
      }
      if wrong > 0 { throw ExitCode(1) }
    }
  }

  static func text(_ statement: ReconciledStatement, verbose: Bool) -> String {
    let name = statement.number.isEmpty ? "draft" : statement.number
    let verdict = statement.holds ? "ties" : "DOES NOT TIE"
    let head =
      "\(name)  \(statement.subscription)  \(statement.total) \(statement.currency)  \(verdict)"
    let checks = statement.checks.filter { verbose || !$0.holds }.map {
      "  \($0.holds ? "ok" : "WRONG"): \($0.name): \($0.text)"
    }
    return ([head] + checks).map { terminalText($0) + "\n" }.joined()
  }
}

/// `stackmeter statements showback`.
struct StatementsShowbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "showback",
    abstract: "Show what a billing period costs by tag, resource group, cost center and others.",
    discussion: """
      By \(ShowbackKey.words.joined(separator: ", ")). Parts sum to the total of the statements; what has no name is \
      shown, too. Of periods that are not closed, drafts of closed reporting windows.
      """)

  @OptionGroup var options: SettingsOptions
  @Option(help: "The billing period, such as 2026-11.")
  var period: String
  @Option(help: ArgumentHelp("By what.", valueName: "key"))
  var by: String
  @Option(help: "Only that of a subscription; may be repeated.")
  var subscription: [String] = []
  @Option(help: ArgumentHelp("An amount that the named parts bear together.", valueName: "amount"))
  var share: String?
  @Option(help: "By what it is divided: cost or equal.")
  var shareBy = Showback.SharingKey.cost

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let request = ShowbackRequest(
        caller: .operator, period: period, subscriptions: subscription, groupBy: by)
      let gathered = try await withService("query", of: settings) { channel in
        try await GatheredShowback(request, QueryClient(channel))
      }
      let parts: [Showback.Part]
      do throws(ShowbackProblem) {
        parts = try gathered.parts(share: share, by: shareBy)
      } catch {
        throw CommandFailure("--share: \(error)", exitCode: 64)
      }
      StandardStream.output.write(Self.text(gathered, parts))
    }
  }

  static func text(_ gathered: GatheredShowback, _ parts: [Showback.Part]) -> String {
    let currency = gathered.sums.total?.currency.code ?? ""
    let isShared = parts.contains { $0.share != nil }
    var columns: [Table.Column] = [
      .init("PART"), .init("KIND"), .init(currency, .decimal),
    ]
    if isShared { columns.append(.init("SHARE", .decimal)) }
    var table = Table(columns)
    for part in parts {
      let isUsage = part.key.kind == Showback.usage
      var row = [
        part.key.name.map { terminalText($0.text) } ?? (isUsage ? "(none)" : ""), part.key.kind,
        part.amount.amountText,
      ]
      if isShared { row.append(part.share?.amountText ?? "") }
      table.append(row)
    }
    var total = ["total", "", gathered.sums.total?.amountText ?? "0"]
    if isShared { total.append("") }
    table.append(total)
    let drafts = gathered.draftCount > 0 ? ", \(gathered.draftCount) of them drafts" : ""
    return (table.lines() + ["\(gathered.statementCount) statements\(drafts)"])
      .map { $0 + "\n" }.joined()
  }
}

extension Showback.SharingKey: ExpressibleByArgument {}

/// `stackmeter statements explain`.
struct StatementsExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Show the charges that a line of a statement sums up, and their events.",
    discussion: """
      The lines are those of `statements show`, counted from 1. Each charge names its usage hour, reporting window, \
      resource, tier and price; --events goes on to the events in the journal. Exits with 1 where the charges do not \
      sum to the line.
      """)

  @OptionGroup var options: SettingsOptions
  @Argument(help: "The number, such as 2026-000001.")
  var number: String
  @Argument(help: "The line, counted from 1.")
  var line: Int
  @Flag(help: "With the events of each charge.")
  var events = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let ties = try await withService("query", of: settings) { channel in
        let query = QueryClient(channel)
        let found = try await query.statement(
          GetStatementRequest(caller: .operator, number: number))
        let statement = try Statement(parsing: found.document)
        guard statement.lines.indices.contains(line - 1) else {
          throw CommandFailure(
            "statement \(number) has \(statement.lines.count) lines", exitCode: 64)
        }
        return try await explain(statement, statement.lines[line - 1], query)
      }
      if !ties { throw ExitCode(1) }
    }
  }

  private func explain(
    _ statement: Statement, _ line: StatementLine, _ query: QueryClient
  ) async throws -> Bool {
    StandardStream.output.write(Self.head(statement, line, self.line))
    var request = ListChargesRequest(
      caller: .operator, subscription: statement.subscription.id,
      period: statement.period.description, closedWindowsOnly: true, line: UInt32(self.line))
    var sum: Cost? = .zero
    var count = 0
    repeat {
      let page = try await query.listCharges(request)
      for charge in page.charges {
        StandardStream.output.write(Self.text(charge))
        sum = Cost(parsing: charge.cost).flatMap { sum?.adding($0) }
        count += 1
        if events { try await writeEvents(of: charge, statement.subscription.id, query) }
      }
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    guard line.kind == .usage || line.kind == .minimum else { return true }
    let ties = sum == line.cost
    StandardStream.output.write(
      "\(count) charges make \(sum.map { "\($0)" } ?? "nothing that fits")\(ties ? "" : ": WRONG")\n"
    )
    return ties
  }

  private static func head(_ statement: Statement, _ line: StatementLine, _ number: Int) -> String {
    var lines = [
      "line \(number) of statement \(statement.number ?? "") of \(statement.subscription.id) for \(statement.period)",
      "  \(line.title)",
      "  exactly \(line.cost), rounded \(line.amount) (\(statement.rounding.rawValue))",
    ]
    if let rate = line.rate {
      let scope = [rate.group.map { "for \($0)" }, rate.location.map { "in \($0)" }]
        .compactMap { $0 }
      lines.append(
        "  rate card \(rate.card) version \(rate.version), meter \(rate.meter)"
          + scope.map { ", \($0)" }.joined() + ", tier \(line.tier)")
    }
    return lines.map { terminalText($0) + "\n" }.joined()
  }

  static func text(_ charge: ChargeRow) -> String {
    let place = charge.usage.map {
      "\($0.start)  window \($0.window)  \($0.series.resource.uri)"
    }
    return terminalText(
      "\(charge.kind)  \(place ?? "the whole period")  \(charge.quantity) at \(charge.price) = \(charge.cost)"
    )
      + "\n"
  }

  private func writeEvents(
    of charge: ChargeRow, _ subscription: String, _ query: QueryClient
  ) async throws {
    guard let usage = charge.usage else { return }
    var request = ExplainRequest(
      caller: .operator, subscription: subscription, meter: usage.series.meter,
      resourceURI: usage.series.resource.uri, usageHour: usage.start.hour, window: usage.window,
      pageSize: UInt32(ExplainRequest.pageSizeMax))
    var text = ExplainText(isJSON: false)
    repeat {
      let page: ExplainResponse
      do throws(RPCError) { page = try await query.explain(request) } catch {
        guard error.code == .outOfRange else { throw error }
        StandardStream.output.write("  \(terminalText(error.message))\n")
        return
      }
      StandardStream.output.write(text.page(page))
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
  }
}
