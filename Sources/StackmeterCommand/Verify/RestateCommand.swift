internal import AggregatorClient
internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterWire

/// `stackmeter restate`.
struct RestateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restate",
    abstract: "Count meters anew whose aggregation in the catalog was changed.",
    discussion: """
      A meter that has usage is counted as it was from the beginning, until it is restated: the aggregator counts \
      the journal in both ways and books what differs in the open reporting window, with the old usage hours. Closed \
      windows never change. Differences and new rules come into force together, or not at all; run it again after \
      anything that was interrupted. Restart the collector and the aggregator after the catalog was changed, look at \
      what --dry-run says, then restate. The aggregator goes on counting meanwhile, and waits for the last part only.
      """)

  @OptionGroup var options: SettingsOptions
  @Flag(help: "Only show what would change.")
  var dryRun = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let isDryRun = dryRun
      let restate = {
        try await withService("aggregator", of: settings) { channel in
          try await AggregatorClient(channel).restate(RestateRequest(isDryRun: isDryRun))
        }
      }
      let response =
        isDryRun
        ? try await restate() : try await LocalAudit.change(settings, "restate", nil, restate)
      StandardStream.output.write(Self.text(response))
    }
  }

  static func text(_ response: RestateResponse) -> String {
    guard !response.meters.isEmpty else {
      return "0 differences: every meter with usage is counted as the catalog says that the "
        + "aggregator read when it started\n"
    }
    var lines = response.meters.map { text($0, isApplied: response.isApplied) }
    lines += response.differences.map { difference in
      let quantity = difference.quantity?.description ?? "too large to show"
      return
        "  \(difference.usageHour.start)  \(terminalText(difference.subscription))  "
        + "\(terminalText(difference.meter))  \(terminalText(difference.resourceURI))  \(quantity)"
    }
    let untold = response.differenceCount - UInt64(response.differences.count)
    if untold > 0 { lines.append("  … and \(untold) other differences") }
    if let fromHour = response.fromHour {
      lines.append(
        "usage hours before \(fromHour.start) stay as they were reported: the journal no longer "
          + "has all of them")
    }
    if response.unapplied > 0 {
      lines.append(
        "\(response.unapplied) differences are too large for an aggregate; they are in the table "
          + "unapplied")
    }
    lines.append(
      response.isApplied
        ? "\(response.differenceCount) differences were booked in window \(response.window.start); the "
          + "new rules count from journal position \(response.position) on"
        : "\(response.differenceCount) differences would be booked, as of journal position "
          + "\(response.position); nothing was changed")
    return lines.map { $0 + "\n" }.joined()
  }

  private static func text(
    _ meter: RestateResponse.RestatedMeter, isApplied: Bool
  ) -> String {
    let totals =
      meter.totals.map { "their total is \($0.before) before and \($0.after) after" }
      ?? "their total is too large to show"
    return
      "\(terminalText(meter.meter)): \(meter.from.rawValue) \(isApplied ? "became" : "would become") "
      + "\(meter.to.rawValue): \(meter.hours) of \(meter.hoursLookedAt) usage hours change, of "
      + "\(meter.series) series; \(totals)"
  }
}
