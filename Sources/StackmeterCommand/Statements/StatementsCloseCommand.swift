internal import AggregatorClient
internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter statements close`.
struct StatementsCloseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "close", abstract: "Close the statements of a billing period.",
    discussion: """
      A closed statement has a number and never changes; usage that comes later is on the next one, as an adjustment. \
      What is closed already stays as it is, so that the command may be repeated, also after it was interrupted. Exits \
      with 65 where some statement cannot be closed, and says why.
      """)

  private static let exitCode: Int32 = 65

  @OptionGroup var options: SettingsOptions
  @Option(
    help: "The billing period, such as 2026-11. It is over, and its reporting windows are closed.")
  var period: String
  @Option(help: "Only that of a subscription; may be repeated.")
  var subscription: [String] = []
  @Flag(help: "Close them also where usage has no price.")
  var acceptUnrated = false
  @Flag(help: "Close them also where sources have not reported all of the period.")
  var acceptEstimated = false
  @Flag(help: "Only say what would be closed.")
  var dryRun = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let request = CloseStatementsRequest(
        period: period, subscriptions: subscription, acceptsUnrated: acceptUnrated,
        isDryRun: dryRun, acceptsEstimated: acceptEstimated)
      let close = {
        try await withService("aggregator", of: settings) { channel in
          try await Self.all(BillingClient(channel), request)
        }
      }
      let isRefused =
        dryRun
        ? try await close()
        : try await LocalAudit.change(settings, "statements close", nil, close)
      if isRefused { throw ExitCode(Self.exitCode) }
    }
  }

  /// Writes what each call has done as soon as it has; whether something cannot be closed.
  private static func all(
    _ billing: BillingClient, _ first: CloseStatementsRequest
  ) async throws -> Bool {
    var request = first
    var closed = 0
    var known = 0
    var refused = 0
    repeat {
      let response = try await billing.closeStatements(request)
      StandardStream.output.write(lines(response))
      closed += response.closed.count
      known += Int(response.known)
      refused += response.refused.count
      request.after = response.nextAfter
    } while !request.after.isEmpty
    StandardStream.output.write(
      "\(closed) \(request.isDryRun ? "would be closed" : "closed"), \(known) closed before, \(refused) cannot be "
        + "closed\n")
    return refused > 0
  }

  static func lines(_ response: CloseStatementsResponse) -> String {
    let closed = response.closed.map { entry in
      "\(entry.number.isEmpty ? "-" : entry.number)  \(entry.subscription)  \(entry.total) \(entry.currency)"
    }
    let refused = response.refused.map { "cannot be closed: \($0.subscription): \($0.reason)" }
    return (closed + refused).map { terminalText($0) + "\n" }.joined()
  }
}

/// What `credit` and `adjust` take.
struct PostingOptions: ParsableArguments {
  @OptionGroup var options: SettingsOptions
  @Option(help: "The subscription.")
  var subscription: String
  @Option(help: "The amount, in the currency of the rate card, such as 12.50.")
  var amount: String
  @Option(help: "What the statement says.")
  var reason: String
  @Option(help: "The day that it is for, such as 2026-11-30; today where it is left out.")
  var day: String?

  fileprivate func date(_ text: String, _ name: String) throws -> Day {
    guard let day = Day(parsing: text) else {
      throw ValidationError("--\(name) must be a date such as 2026-11-30")
    }
    return day
  }

  /// Writes it down, and says under which number.
  fileprivate func write(_ kind: String, expires: String? = nil) async throws {
    let request = WritePostingRequest(
      kind: kind, subscription: subscription, amount: amount, reason: reason,
      granted: try day.map { try date($0, "day") } ?? SystemClock().now().hour.day,
      expires: try expires.map { try date($0, "expires") })
    try await reportingFailure {
      let settings = try options.settings()
      let written = try await LocalAudit.change(settings, "statements \(kind)") {
        try await withService("aggregator", of: settings) { channel in
          try await BillingClient(channel).write(request)
        }
      }
      StandardStream.output.write(
        terminalText(
          "\(kind) \(written.id): \(amount) \(written.currency) for \(request.subscription), to stand on its next "
            + "statement\n"))
    }
  }
}

/// `stackmeter statements credit`.
struct StatementsCreditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "credit", abstract: "Write down an amount that statements use up.")

  @OptionGroup var posting: PostingOptions
  @Option(help: "The first day on which it is worth nothing.")
  var expires: String?

  func run() async throws { try await posting.write("credit", expires: expires) }
}

/// `stackmeter statements adjust`.
struct StatementsAdjustCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adjust",
    abstract:
      "Write down an amount that the next statement charges, or gives back where it is below zero.")

  @OptionGroup var posting: PostingOptions

  func run() async throws { try await posting.write("adjustment") }
}
