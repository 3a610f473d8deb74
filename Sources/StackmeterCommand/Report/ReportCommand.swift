internal import ArgumentParser
internal import CollectorClient
internal import GRPCCore
internal import Glibc
internal import StackmeterRPC
internal import StackmeterRuntime
internal import Synchronization

/// `stackmeter report`.
struct ReportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Report usage events from a file or from standard input.",
    discussion: """
      One CloudEvent 1.0 of type stackmeter.usage.v1 on each line. An event counts once, however often it \
      is reported, so running this again is harmless; --checkpoint only saves the time.

      Exits with 0 when every event is counted, 65 when lines were refused (each is shown with its reason), \
      69 when the collector does not answer.
      """)

  @OptionGroup var options: SettingsOptions
  @Argument(help: "The file of events, or - for standard input.")
  var file: String
  @Option(
    help: ArgumentHelp(
      "Keep in this file how far the report is, and go on from there.", valueName: "file"))
  var checkpoint: String?
  @Option(help: "For how many seconds to wait for a collector that does not answer.")
  var retrySeconds = 30

  func validate() throws {
    if checkpoint != nil && file == "-" {
      throw ValidationError("--checkpoint needs a file; standard input cannot be read again")
    }
    if checkpoint == file {
      throw ValidationError("--checkpoint must not be the file of events")
    }
    if !(0...86_400).contains(retrySeconds) {
      throw ValidationError("--retry-seconds must be 0 to 86400")
    }
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let descriptor = file == "-" ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else {
        throw FileReadError(path: file, problem: String(cString: strerror(errno)))
      }
      defer { if descriptor != STDIN_FILENO { close(descriptor) } }
      let keeper = try checkpoint.map { path in
        try CheckpointKeeper(path: path, file: file, descriptor: descriptor)
      }
      let progress = ReportProgress()
      let position = keeper?.start ?? .init(offset: 0, lines: 0)
      if position.lines > 0 {
        StandardStream.error.write("stackmeter: going on after line \(position.lines)\n")
      }
      let tally = try await withService("collector", of: settings) { channel in
        let run = ReportRun(
          CollectorClient(channel),
          reader: EventReader(
            descriptor: descriptor, name: file, offset: position.offset, lines: position.lines),
          from: position, outageMax: .seconds(retrySeconds),
          observer: .init(
            refused: { progress.show($0) },
            progress: { tally, position in
              progress.show(tally)
              keeper?.note(position)
            }, waiting: { progress.showWaiting("\($0.message) (\($0.code))") }))
        do {
          let tally = try await run.run()
          try keeper?.finish(run.position)
          return tally
        } catch {
          progress.finish(run.tally)
          try keeper?.finish(run.position)
          throw error
        }
      }
      progress.finish(tally)
      if tally.refused > 0 { throw ExitCode(EX_DATAERR) }
    }
  }
}

/// Writes a report's checkpoint while it goes on, once a second at most.
private final class CheckpointKeeper: Sendable {
  let start: ReportLedger.Position
  private let path: String
  private let descriptor: Int32
  private let last: Mutex<(position: ReportLedger.Position, time: ContinuousClock.Instant)>

  /// Reads the checkpoint and moves the file to it.
  init(path: String, file: String, descriptor: Int32) throws(CommandFailure) {
    self.path = path
    self.descriptor = descriptor
    let checkpoint = try Checkpoint(path: path)
    try checkpoint?.requireMatch(file, descriptor: descriptor)
    start = checkpoint?.position ?? .init(offset: 0, lines: 0)
    last = Mutex((start, ContinuousClock.now))
    guard lseek(descriptor, off_t(start.offset), SEEK_SET) >= 0 else {
      throw CommandFailure("--checkpoint needs a file that can be read again", exitCode: EX_USAGE)
    }
  }

  /// A checkpoint that cannot be written now is tried again, and told at the end.
  func note(_ position: ReportLedger.Position) {
    last.withLock { last in
      let now = ContinuousClock.now
      guard position != last.position, now - last.time >= .seconds(1) else { return }
      try? Checkpoint(position: position, descriptor: descriptor).write(path)
      last = (position, now)
    }
  }

  func finish(_ position: ReportLedger.Position) throws(CommandFailure) {
    try Checkpoint(position: position, descriptor: descriptor).write(path)
  }
}
