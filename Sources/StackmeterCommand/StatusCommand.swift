internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter status`.
struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show how the pipeline is.",
    discussion: "Exits with 1 where something is wrong.")

  @OptionGroup var options: SettingsOptions
  @Flag(help: "As a JSON object.")
  var json = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let status = try await withService("query", of: settings) { channel in
        try await QueryClient(channel).status()
      }
      StandardStream.output.write(
        bytes: json
          ? PipelineText(status).json() : Array(PipelineText(status).text().utf8))
      if !status.problems.isEmpty { throw ExitCode(1) }
    }
  }
}

/// The pipeline's status, for people and for programs.
struct PipelineText {
  let status: PipelineStatus

  init(_ status: PipelineStatus) {
    self.status = status
  }

  /// Events that are durable and not yet in the usage database; nil while the collector does not answer.
  var lagEvents: UInt64? {
    status.collector.map {
      $0.nextPosition >= status.appliedPosition ? $0.nextPosition - status.appliedPosition : 0
    }
  }

  /// Positions begin with 1.
  private func events(before position: UInt64) -> UInt64 { max(position, 1) - 1 }

  func text() -> String {
    var lines: [(String, String)] = []
    lines.append(("open window", status.openWindow.description))
    lines.append(
      (
        "applied",
        "\(events(before: status.appliedPosition)) events, \(time(status.appliedReportedTime))"
      ))
    lines.append(("lag", lagEvents.map { "\($0) events" } ?? "unknown"))
    if let collector = status.collector {
      lines.append(
        (
          "collector",
          "\(events(before: collector.nextPosition)) events in a journal of \(mebibytes(collector.journalBytes)); "
            + "since its start \(collector.accepted) accepted, \(collector.duplicates) duplicates, "
            + "\(collector.refused) refused"
        ))
      lines.append(
        (
          "quarantine",
          "\(collector.quarantineEntries) open entries, \(mebibytes(collector.quarantineBytes))"
            + (collector.quarantineDropped == 0
              ? "" : "; full: \(collector.quarantineDropped) refused events were not kept")
        ))
      lines.append(("parked", "\(collector.parkedCorrections) corrections wait for their events"))
      lines.append(
        (
          "disk",
          "\(mebibytes(collector.diskFreeBytes)) free, \(mebibytes(collector.diskReserveBytes)) reserved"
        ))
    } else {
      lines.append(("collector", "does not answer"))
    }
    if let aggregator = status.aggregator {
      lines.append(
        (
          "aggregator",
          "\(aggregator.isFollowing ? "follows the journal" : "does not follow the journal"); "
            + "since its start \(aggregator.appliedEvents) events in \(aggregator.commits) commits"
        ))
    } else {
      lines.append(("aggregator", "does not answer"))
    }
    for problem in status.problems { lines.append(("PROBLEM", terminalText(problem))) }
    if status.problems.isEmpty { lines.append(("problems", "none")) }
    return lines.map { label, value in
      label + String(repeating: " ", count: 13 - label.count) + value + "\n"
    }.joined()
  }

  func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("openWindow", string: status.openWindow.description)
      writer.member("appliedPosition", status.appliedPosition)
      writer.member("appliedReportedTime", string: status.appliedReportedTime.description)
      writer.member("lagEvents", raw: lagEvents.map { "\($0)" } ?? "null")
      if let collector = status.collector {
        writer.member("collector", object: { writer in Self.write(collector, &writer) })
      } else {
        writer.member("collector", raw: "null")
      }
      if let aggregator = status.aggregator {
        writer.member("aggregator", object: { writer in Self.write(aggregator, &writer) })
      } else {
        writer.member("aggregator", raw: "null")
      }
      writer.member(
        "problems", array: { writer in for problem in status.problems { writer.string(problem) } })
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  private static func write(_ collector: CollectorStatus, _ writer: inout JSONWriter) {
    writer.member("nextPosition", collector.nextPosition)
    writer.member("lastReportedTime", string: collector.lastReportedTime.description)
    writer.member("journalBytes", collector.journalBytes)
    writer.member("accepted", collector.accepted)
    writer.member("duplicates", collector.duplicates)
    writer.member("refused", collector.refused)
    writer.member("quarantineEntries", collector.quarantineEntries)
    writer.member("quarantineBytes", collector.quarantineBytes)
    writer.member("parkedCorrections", collector.parkedCorrections)
    writer.member("dedupEntries", collector.dedupEntries)
    writer.member("diskFreeBytes", collector.diskFreeBytes)
    writer.member("diskReserveBytes", collector.diskReserveBytes)
    writer.member("refusing", string: collector.refusing)
    writer.member("quarantineDropped", collector.quarantineDropped)
    writer.member("clockProblem", string: collector.clockProblem)
  }

  private static func write(_ aggregator: AggregatorStatus, _ writer: inout JSONWriter) {
    writer.member("nextPosition", aggregator.nextPosition)
    writer.member("durablePosition", aggregator.durablePosition)
    writer.member("appliedReportedTime", string: aggregator.appliedReportedTime.description)
    writer.member("appliedEvents", aggregator.appliedEvents)
    writer.member("commits", aggregator.commits)
    writer.member("following", aggregator.isFollowing)
    writer.member("problem", string: aggregator.problem)
    writer.member(
      "faults", array: { writer in for fault in aggregator.faults { writer.string(fault) } })
  }

  private func time(_ instant: Instant) -> String {
    instant.nanoseconds == 0 ? "none yet" : "reported up to \(instant)"
  }

  private func mebibytes(_ bytes: UInt64) -> String { "\((bytes + (1 << 19)) >> 20) MiB" }
}
