internal import ArgumentParser
internal import CollectorClient
internal import StackmeterCore
internal import StackmeterWire

/// `stackmeter heartbeat`.
struct HeartbeatCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "heartbeat", abstract: "Say how far a source's usage is reported.",
    discussion: """
      The first heartbeat of a source declares it: from then on usage is final only where this source is complete, \
      too. Say it after the usage was accepted. An older time than before has no effect, so it may be repeated.
      """)

  @OptionGroup var options: SettingsOptions
  @Argument(help: "The source, as its events name it.")
  var source: String
  @Option(
    help: ArgumentHelp(
      "All usage of the source before this day or time is reported: 2026-11-23 or 2026-11-23T15:00:00Z.",
      valueName: "time"))
  var completeUntil: String?
  @Option(
    help: ArgumentHelp(
      "How often the source says more: 90s, 15m, 1h, 1d; 1h where it is not given.",
      valueName: "duration"))
  var every: String?
  @Flag(help: "No more is expected of the source: usage does not wait for it any longer.")
  var ended = false

  func validate() throws { _ = try heartbeat() }

  func heartbeat() throws(ValidationError) -> Heartbeat {
    guard !ended else {
      guard completeUntil == nil, every == nil else {
        throw ValidationError("--ended stands alone: without --complete-until and --every")
      }
      return .end(of: source)
    }
    guard let completeUntil else {
      throw ValidationError("--complete-until is missing; --ended ends a source")
    }
    guard let until = Instant(parsing: completeUntil) ?? Day(parsing: completeUntil)?.start else {
      throw ValidationError(
        "--complete-until: \(completeUntil) is neither a day such as 2026-11-23 nor a time such as "
          + "2026-11-23T15:00:00Z")
    }
    return Heartbeat(
      source: source, cadenceSeconds: try Self.seconds(every ?? "1h"), completeUntil: until)
  }

  /// A whole number and its unit.
  private static func seconds(_ text: String) throws(ValidationError) -> UInt32 {
    let units: [Character: UInt32] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    let digits = text.dropLast()
    guard let unit = text.last.flatMap({ units[$0] }), let count = UInt32(digits),
      digits.allSatisfy(\.isNumber), count > 0,
      case (let seconds, let overflow) = count.multipliedReportingOverflow(by: unit), !overflow,
      seconds <= HeartbeatLimits.cadenceSecondsMax
    else {
      throw ValidationError("--every: \(text) is no duration such as 90s, 15m, 1h or 1d, up to 31d")
    }
    return seconds
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let heartbeat = try heartbeat()
      let response = try await LocalAudit.change(settings, "heartbeat") {
        try await withService("collector", of: settings) { channel in
          try await CollectorClient(channel).heartbeat(heartbeat)
        }
      }
      let name = terminalText(source)
      StandardStream.output.write(
        response.cadenceSeconds == 0
          ? "\(name): no more is expected\n"
          : "\(name): complete until \(response.completeUntil), "
            + "every \(durationText(Int64(response.cadenceSeconds)))\n")
    }
  }
}

/// Seconds in the largest unit that says them whole.
func durationText(_ seconds: Int64) -> String {
  for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60)] as [(String, Int64)]
  where seconds != 0 && seconds % length == 0 {
    return "\(seconds / length)\(unit)"
  }
  return "\(seconds)s"
}
