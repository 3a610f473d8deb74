internal import AggregatorClient
internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter statements share`.
struct StatementsShareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "share", abstract: "Divide a cost between subscriptions, to the last cent.",
    discussion: """
      Each subscription with something on its statement of the period gets a line with its share, and the payer, if \
      there is one, a line that takes the whole off. The period is over, and none of its statements is closed. All \
      shares are written down, or none, and the same cost is shared once, so that the command may be repeated.
      """)

  enum Key: String, ExpressibleByArgument, CaseIterable {
    case equal
    case totals
    case usage
    case weights
  }

  @OptionGroup var options: SettingsOptions
  @Option(help: "The billing period, such as 2026-11.")
  var period: String
  @Option(help: "The cost, in the currency of the rate card, such as 100.00.")
  var amount: String
  @Option(help: "What the statements say.")
  var reason: String
  @Option(
    help: ArgumentHelp(
      "In equal parts, by the totals of the statements, by the usage of a meter, or by weights.",
      valueName: "key"))
  var by: Key
  @Option(help: "--by usage: of this meter, in the period.")
  var meter: String?
  @Option(
    help: ArgumentHelp(
      "--by weights: as SUBSCRIPTION=NUMBER, such as heads or percentages; may be repeated.",
      valueName: "weight"))
  var weight: [String] = []
  @Option(help: "The subscription that the whole is taken off; it bears no share.")
  var payer: String?
  @Flag(help: "Share it also where sources have not reported all of the period.")
  var acceptEstimated = false
  @Flag(help: "Only say what the shares would be.")
  var dryRun = false

  func validate() throws {
    guard (by == .usage) == (meter != nil) else {
      throw ValidationError("--meter goes with --by usage, and only then")
    }
    guard (by == .weights) != weight.isEmpty else {
      throw ValidationError("--weight goes with --by weights, and only then")
    }
    _ = try weights()
  }

  /// Reads `SUBSCRIPTION=NUMBER`.
  func weights() throws -> [ShareCostRequest.Weight] {
    try weight.map { text in
      guard let equals = text.lastIndex(of: "="), equals > text.startIndex,
        let number = try? Quantity(parsing: text[text.index(after: equals)...]), number >= .zero
      else {
        throw ValidationError(
          "--weight must be SUBSCRIPTION=NUMBER with a number that is not below zero, and is \(text)"
        )
      }
      return ShareCostRequest.Weight(subscription: String(text[..<equals]), weight: number)
    }
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let request = ShareCostRequest(
        period: period, amount: amount, reason: reason, by: by.rawValue, meter: meter ?? "",
        weights: try weights(), payer: payer ?? "", isDryRun: dryRun,
        acceptsEstimated: acceptEstimated)
      let share = {
        try await withService("aggregator", of: settings) { channel in
          try await BillingClient(channel).shareCost(request)
        }
      }
      let answer =
        dryRun
        ? try await share()
        : try await LocalAudit.change(settings, "statements share", nil, share)
      StandardStream.output.write(Self.lines(answer, isDryRun: dryRun))
    }
  }

  static func lines(_ answer: ShareCostResponse, isDryRun: Bool) -> String {
    let shares = answer.shares.map {
      terminalText("\($0.subscription)  \($0.amount) \(answer.currency)") + "\n"
    }
    let what =
      answer.isKnown
      ? "were written down before" : isDryRun ? "would be written down" : "written down"
    return shares.joined() + "\(answer.shares.count) lines \(what)\n"
  }
}
