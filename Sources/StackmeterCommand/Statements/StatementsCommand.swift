internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter statements`.
struct StatementsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "statements",
    abstract:
      "Show what subscriptions owe, close statements, and write down credits, adjustments and shares of costs.",
    subcommands: [
      StatementsListCommand.self, StatementsShowCommand.self, StatementsCloseCommand.self,
      StatementsCreditCommand.self, StatementsAdjustCommand.self, StatementsShareCommand.self,
      StatementsReconcileCommand.self, StatementsShowbackCommand.self,
      StatementsExplainCommand.self,
    ], defaultSubcommand: StatementsListCommand.self)
}

/// `stackmeter statements list`.
struct StatementsListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show the closed statements.")

  @OptionGroup var options: SettingsOptions
  @Option(help: "Only those of a subscription; may be repeated.")
  var subscription: [String] = []
  @Option(help: "Only those of a billing period, such as 2026-11.")
  var period: String?

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let request = ListStatementsRequest(
        caller: .operator, subscriptions: subscription, period: period ?? "")
      let statements = try await withService("query", of: settings) { channel in
        try await Self.all(QueryClient(channel), request)
      }
      StandardStream.output.write(Self.table(statements))
    }
  }

  private static func all(
    _ query: QueryClient, _ first: ListStatementsRequest
  ) async throws -> [StatementEntry] {
    var statements: [StatementEntry] = []
    var request = first
    repeat {
      let page = try await query.listStatements(request)
      statements += page.statements
      request.after = page.nextAfter
    } while !request.after.isEmpty
    return statements
  }

  static func table(_ statements: [StatementEntry]) -> String {
    guard !statements.isEmpty else {
      return "there is no closed statement; close some with stackmeter statements close\n"
    }
    var table = Table([
      .init("NUMBER"), .init("PERIOD"), .init("SUBSCRIPTION"), .init("TOTAL", .decimal),
      .init("CURRENCY"), .init("REPORTED UNTIL"),
    ])
    for statement in statements {
      table.append([
        statement.number, statement.period, statement.subscription, statement.total,
        statement.currency, statement.windows.upperBound.description,
      ])
    }
    return table.lines().joined(separator: "\n") + "\n"
  }
}

/// `stackmeter statements show`.
struct StatementsShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract:
      "Show one statement: a closed one by its number, or that of a subscription and period.",
    discussion: "Where the period is not closed, it is a draft of what is known now.")

  @OptionGroup var options: SettingsOptions
  @Option(help: "The subscription, where there is no number.")
  var subscription: String?
  @Option(help: "The billing period, such as 2026-11.")
  var period: String?
  @Flag(help: "The document as it is kept, JSON.")
  var json = false
  @Flag(help: "A row for each line, CSV.")
  var csv = false
  @Flag(help: "A page to be printed.")
  var html = false
  @Argument(help: "The number, such as 2026-000001.")
  var number: String?

  func validate() throws {
    guard (number == nil) == (subscription != nil && period != nil) else {
      throw ValidationError("name a statement by its number, or by --subscription and --period")
    }
    guard [json, csv, html].count(where: { $0 }) <= 1 else {
      throw ValidationError("--json, --csv and --html exclude each other")
    }
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let request = GetStatementRequest(
        caller: .operator, number: number ?? "", subscription: subscription ?? "",
        period: period ?? "")
      let found = try await withService("query", of: settings) { channel in
        try await QueryClient(channel).statement(request)
      }
      StandardStream.output.write(bytes: try bytes(of: found.document, issuer: settings.issuer))
    }
  }

  private func bytes(
    of document: [UInt8], issuer: String
  ) throws(StatementDocumentError) -> [UInt8] {
    if json { return document + [UInt8(ascii: "\n")] }
    if csv {
      var writer = CSVWriter()
      writer.statementColumns()
      writer.statement(try Statement(parsing: document))
      return writer.bytes
    }
    if html { return Array(try Statement(parsing: document).html(issuer: issuer).utf8) }
    return Array(StatementText(document).text.utf8)
  }
}
