internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `stackmeter export`: the usage of closed windows in a file, or the statements of a period as FOCUS.
struct ExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract:
      "Write the usage of closed reporting windows to a file, as CSV or NDJSON, or statements as FOCUS.",
    discussion: """
      The file appears whole or not at all: it grows in FILE.part, and what is killed goes on when it is run again \
      with the same options. The last line on standard error says where the next export begins. Closed windows never \
      change, so the same windows always make the same file; every row has an id and a content hash for whoever loads \
      it twice. With --focus the file has the statements of a billing period with their charges, as FOCUS; beside it, \
      in FILE.metadata.json, stands what its columns are.
      """)

  enum Format: String, ExpressibleByArgument {
    case csv, ndjson
  }

  @OptionGroup var options: SettingsOptions
  @Argument(help: "The file to write; replaced where it is there.")
  var file: String
  @Option(help: "csv or ndjson.")
  var format = Format.csv
  @Flag(help: "An aggregate for each usage day of each day of reporting windows, not for hours.")
  var daily = false
  @Option(
    help: "The first reporting window: a day, or a time on the hour. Otherwise the first kept.")
  var from: String?
  @Option(help: "Before this reporting window. Otherwise all that are closed.")
  var to: String?
  @Option(
    help: "Instead of windows: what has changed since this window in usage days before it.")
  var restatedSince: String?
  @Option(name: .customLong("subscription"), help: "Only this subscription; may be repeated.")
  var subscriptions: [String] = []
  @Option(name: .customLong("meter"), help: "Only the meter of this id; may be repeated.")
  var meters: [String] = []
  @Option(
    help: ArgumentHelp("Instead of usage: the statements of a billing period.", valueName: "period")
  )
  var focus: String?
  @Option(help: "FOCUS: 1.2, or 1.0 for version 1.0.0 of focus-validator.")
  var focusVersion = "1.2"
  @Flag(help: "Compress the file (gzip).")
  var gzip = false
  @Flag(help: "CSV: a byte order mark, by which Excel knows UTF-8.")
  var bom = false
  @Flag(help: "A last record that says that this is the end.")
  var end = false

  func validate() throws {
    guard focus == nil || isPlain else {
      throw ValidationError("--focus goes with --subscription, --focus-version and --gzip only")
    }
    if bom && format != .csv { throw ValidationError("--bom is for CSV") }
    if restatedSince != nil && from != nil {
      throw ValidationError("--restated-since is where the windows begin; leave --from out")
    }
  }

  /// Nothing is said that is of usage only.
  private var isPlain: Bool {
    !bom && !end && !daily && format == .csv && meters.isEmpty
      && [from, to, restatedSince].allSatisfy { $0 == nil }
  }

  func run() async throws {
    if let focus {
      try await FocusExport(
        file: ExportFile(path: file, isCompressed: gzip),
        question: ExportFocusRequest(
          caller: .operator, period: focus, subscriptions: subscriptions, version: focusVersion)
      ).run(options)
      return
    }
    try await reportingFailure {
      let question = try question()
      let settings = try options.settings()
      let file = ExportFile(path: file, isCompressed: gzip)
      try await withService("query", of: settings) { channel in
        let query = QueryClient(channel)
        var output = try file.open(question.packed())
        var request = question
        var answer: ExportUsageResponse
        repeat {
          request.pageToken = output.token
          answer = try await query.exportUsage(request)
          try output.append(answer.data, next: answer.nextPageToken)
        } while !answer.nextPageToken.isEmpty
        try output.finish()
        StandardStream.error.write(
          "\(terminalText(file.path)): \(answer.rows) rows of the windows from "
            + "\(answer.windows.lowerBound) up to \(answer.windows.upperBound)\n"
            + "the next export: --from \(answer.windows.upperBound)\n")
      }
    }
  }

  func question() throws(CommandFailure) -> ExportUsageRequest {
    ExportUsageRequest(
      caller: .operator, from: try hour(from, "--from"), to: try hour(to, "--to"),
      granularity: daily ? .daily : .hourly, format: format == .csv ? .csv : .ndjson,
      subscriptions: subscriptions, meters: meters,
      restatedSince: try hour(restatedSince, "--restated-since"), hasByteOrderMark: bom,
      hasEndRecord: end)
  }

  private func hour(_ text: String?, _ option: String) throws(CommandFailure) -> Hour? {
    guard let text else { return nil }
    let hour = try UsagePeriod.hour(text, option: option)
    guard !daily || hour == hour.day.firstHour else {
      throw CommandFailure("\(option): --daily needs whole days", exitCode: 64)
    }
    return hour
  }
}
