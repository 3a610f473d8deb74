internal import AggregatorClient
internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter rates apply`.
struct RatesApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Add a version of a rate card.",
    discussion: """
      The aggregator checks the card with its catalog of meters and with the versions that there are, and keeps the \
      text as it is. A version is never altered: a new one has a greater number, and takes effect later than the one \
      before, and not in a period that statements are closed for. May be repeated. With --limit it is tried first, as \
      by rates try. Exits with 65 where something is wrong; nothing is changed then.
      """)

  /// More meters without a rate are counted only: a catalog has many that a card leaves out.
  private static let unpricedNamed = 5

  @OptionGroup var options: SettingsOptions
  @Flag(help: "Only say what is wrong with it, or what it would change.")
  var dryRun = false
  @Option(
    help: "How much what a subscription owes for the period may differ, such as 5%; else refuse it."
  )
  var limit: String?
  @Option(
    help: "The billing period that --limit tries; the last that is over where it is left out.")
  var period: String?
  @Argument(help: "The card.")
  var file: String

  func validate() throws {
    _ = try limit.map(CardTrialLimit.init)
    guard period == nil || limit != nil else {
      throw ValidationError("--period is of --limit: say how much the difference may be")
    }
  }

  func run() async throws {
    try await RatesCommand.reportingProblems {
      let settings = try options.settings()
      let text = try fileContent(file, bytesMax: ApplyRateCardRequest.textBytesMax)
      let (file, isDryRun) = (file, dryRun)
      // What is refused is thrown here, so that the audit log says so.
      let trial = try (limit.map(CardTrialLimit.init), period ?? Self.lastPeriod())
      let apply = { () async throws -> String in
        if let limit = trial.0 {
          var report = CardTrialReport(limit: limit, showsLines: false)
          try await report.run(
            settings, text: text, file: file, period: trial.1, subscriptions: []
          ) { _ in }
          if !report.passing.isEmpty { throw RateProblems(lines: report.refusal(file)) }
        }
        let response = try await withService("aggregator", of: settings) { channel in
          try await BillingClient(channel).applyRateCard(
            ApplyRateCardRequest(text: text, isDryRun: isDryRun))
        }
        return try Self.text(response, file: file)
      }
      let told =
        isDryRun
        ? try await apply() : try await LocalAudit.change(settings, "rates apply", nil, apply)
      StandardStream.output.write(terminalText(told))
    }
  }

  /// The last billing period that is over.
  private static func lastPeriod() -> String {
    let first = BillingPeriod(containing: SystemClock().now().hour.day).start
    return BillingPeriod(containing: Day(index: first.index - 1)).description
  }

  /// What was done, or would be; throws what is wrong.
  static func text(_ response: ApplyRateCardResponse, file: String) throws -> String {
    guard response.problems.isEmpty, let version = response.version else {
      throw RateProblems(
        lines: response.problems.map { $0.text(of: file) })
    }
    let title = "\(version.reference), in \(version.currency) from \(version.effective)"
    let state: String =
      switch (response.isApplied, response.isKnown) {
      case (true, _): "\(title): added"
      case (_, true): "\(title): is there already, nothing was changed"
      default: "\(title): could be added; nothing was changed"
      }
    var lines = [state] + response.changes.map { "  \($0)" }
    if !response.unpricedMeters.isEmpty {
      let named = response.unpricedMeters.prefix(RatesApplyCommand.unpricedNamed)
      let others = response.unpricedMeters.count - named.count
      lines.append(
        "without a rate: \(named.joined(separator: ", "))"
          + (others > 0 ? " and \(others) others" : "")
          + "; their usage stands on statements without a price")
    }
    if response.inForce != version.name {
      lines.append(
        "usage is priced by the card \(response.inForce) (the setting rates.card); this one prices nothing"
      )
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
