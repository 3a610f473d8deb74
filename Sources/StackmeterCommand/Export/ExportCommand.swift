internal import ArgumentParser
internal import Glibc
internal import QueryClient
internal import StackmeterCore
internal import StackmeterDelivery
internal import StackmeterRuntime
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

      With --follow, every closed window on its own, and further ones as they close: FILE is a directory, in which \
      each window with usage becomes a file, - for standard output, or the address of a webhook, to which each part of \
      a window is sent, signed with the secret of --webhook-secret. The cursor says which window is next; the same \
      command goes on there.
      """)

  enum Format: String, ExpressibleByArgument {
    case csv, ndjson
  }

  @OptionGroup var options: SettingsOptions
  @Argument(
    help:
      "The file to write; replaced where it is there. With --follow: a directory, -, or an address."
  )
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

  @Flag(help: "Each closed window on its own, and further ones as they close.")
  var follow = false
  @Flag(help: "--follow: end once every window that is closed is written.")
  var once = false
  @Option(
    help: ArgumentHelp(
      "--follow: the file that says which window is next; in a directory .cursor, where it is left out.",
      valueName: "file"))
  var cursor: String?
  @Option(
    help: ArgumentHelp(
      "--follow: a file with the secret of the webhook, whsec_… .", valueName: "file"))
  var webhookSecret: String?

  private var isAddress: Bool { file.hasPrefix("https://") || file.hasPrefix("http://") }

  func validate() throws {
    guard focus == nil || isPlain else {
      throw ValidationError("--focus goes with --subscription, --focus-version and --gzip only")
    }
    if bom && format != .csv { throw ValidationError("--bom is for CSV") }
    guard follow else {
      if once || cursor != nil || webhookSecret != nil {
        throw ValidationError("--once, --cursor and --webhook-secret go with --follow")
      }
      return try validateFile()
    }
    if restatedSince != nil || end {
      throw ValidationError("--restated-since and --end do not go with --follow")
    }
    if cursor == nil && (file == "-" || isAddress) {
      throw ValidationError("--cursor is missing: a file that says which window is next")
    }
    if isAddress != (webhookSecret != nil) {
      throw ValidationError("--webhook-secret goes with the address of a webhook")
    }
    if format == .csv && (file == "-" || isAddress) {
      throw ValidationError(
        "--format ndjson is needed: windows one behind the other have no header")
    }
    if gzip && (file == "-" || isAddress) { throw ValidationError("--gzip is for files") }
  }

  private func validateFile() throws {
    if restatedSince != nil && from != nil {
      throw ValidationError("--restated-since is where the windows begin; leave --from out")
    }
  }

  /// Nothing is said that is of usage only.
  private var isPlain: Bool {
    !follow && !bom && !end && !daily && format == .csv && meters.isEmpty
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
      guard !follow else { return try await follow(question, settings) }
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

  private func follow(_ question: ExportUsageRequest, _ settings: Settings) async throws {
    let place = ExportPlace(path: cursor ?? "\(file)/.cursor")
    let (isOnce, webhook) = (once, try webhook())
    let sink: any ExportSink =
      if let webhook { webhook } else if file == "-" { OutputSink() } else {
        DirectorySink(directory: file, isCompressed: gzip)
      }
    if webhook == nil, file != "-", access(file, W_OK) != 0 {
      throw CommandFailure(
        "\(file): \(String(cString: strerror(errno))); --follow writes into a directory",
        exitCode: EX_CANTCREAT)
    }
    do {
      try place.lock()
      let next = try await withService("query", of: settings) { channel in
        try await ExportFollow(
          query: QueryClient(channel), question: question, sink: sink, cursor: place,
          isOnce: isOnce
        ).run()
      }
      StandardStream.error.write("the next window: \(next)\n")
    } catch {
      await webhook?.close()
      throw error
    }
    await webhook?.close()
  }

  private func webhook() throws -> WebhookSink? {
    guard let webhookSecret else { return nil }
    let secrets = WebhookSecretFile(path: webhookSecret)
    do throws(SettingsError) {
      _ = try secrets.secrets()
    } catch {
      throw CommandFailure("\(error)", exitCode: EX_CONFIG)
    }
    return WebhookSink(address: file, secrets: secrets)
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
