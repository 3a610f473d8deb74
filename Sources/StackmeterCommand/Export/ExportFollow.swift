internal import GRPCCore
internal import Glibc
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWire

/// Where a window's rows go. What a sink has taken, it takes again without harm: under the same names, or ids.
protocol ExportSink: Sendable {
  /// Takes a whole window, part by part; returns once it is taken for good.
  func take(_ window: Hour, _ parts: ExportParts) async throws
}

/// The parts of one window, asked for one after the other.
struct ExportParts: Sendable {
  let question: ExportUsageRequest
  let query: QueryClient

  /// Lends each part that has something, with its number.
  func read(
    _ body: @Sendable (_ number: Int, _ part: ExportUsageResponse) async throws -> Void
  ) async throws {
    var request = question
    var number = 0
    repeat {
      let part = try await query.exportUsage(request)
      if !part.data.isEmpty { try await body(number, part) }
      request.pageToken = part.nextPageToken
      number += 1
    } while !request.pageToken.isEmpty
  }
}

/// `stackmeter export --follow`: every closed window, one after the other, and how far that is in a file.
///
/// The file moves once a window is taken. What is killed goes on with the window that it was at.
struct ExportFollow: Sendable {
  /// How often it is looked whether another window has closed, and tried again what failed.
  static let pause: Duration = .seconds(5)

  let query: QueryClient
  /// Its windows are where to begin, and where to end.
  let question: ExportUsageRequest
  let sink: any ExportSink
  let cursor: ExportPlace
  /// Ends with the last window that is closed.
  let isOnce: Bool

  /// Returns where it has come to; without `isOnce` it goes on until it is cancelled, or `--to`.
  func run() async throws -> Hour {
    var window: Hour
    if let saved = try cursor.read() { window = saved } else { window = try await begin() }
    while question.to.map({ window < $0 }) ?? true {
      guard let (windows, rows) = try await closed(window) else {
        if isOnce { return window }
        try await Task.sleep(for: ExportFollow.pause)
        continue
      }
      var one = question
      one.from = windows.lowerBound
      one.to = windows.upperBound
      if rows { try await sink.take(window, ExportParts(question: one, query: query)) }
      window = windows.upperBound
      try cursor.write(window)
    }
    return window
  }

  /// `--from`, or the first window that is kept and has usage.
  private func begin() async throws -> Hour {
    if let from = question.from { return from }
    return try await query.exportUsage(question).windows.lowerBound
  }

  /// The window, or the day of windows, and whether there is anything in it; nil where it is not closed.
  private func closed(_ window: Hour) async throws -> (Range<Hour>, Bool)? {
    var one = question
    one.from = window
    one.to = Hour(index: window.index + (question.granularity == .daily ? 24 : 1))
    one.hasByteOrderMark = false
    one.format = .ndjson
    one.hasEndRecord = false
    do throws(RPCError) {
      let part = try await query.exportUsage(one)
      guard !part.windows.isEmpty else { return nil }
      return (part.windows, part.rows > 0 || !part.nextPageToken.isEmpty)
    } catch {
      guard !isOnce, [.unavailable, .deadlineExceeded, .resourceExhausted].contains(error.code)
      else { throw error }
      // The services are being restarted, or have more to do: the window stays where it is.
      StandardStream.error.write(
        "stackmeter: query does not answer (\(terminalText(error.message))); trying again\n")
      return nil
    }
  }
}

/// The file that says which window comes next.
struct ExportPlace: Sendable {
  let path: String

  /// Nil where there is none.
  func read() throws -> Hour? {
    guard access(path, F_OK) == 0 || errno != ENOENT else { return nil }
    let text = String(decoding: try fileContent(path, bytesMax: 64), as: UTF8.self)
    guard let time = Instant(parsing: text.prefix { $0 != "\n" }), time.hour.start == time else {
      throw CommandFailure(
        "\(path): is no cursor of an export; remove it to begin anew", exitCode: EX_DATAERR)
    }
    return time.hour
  }

  func write(_ window: Hour) throws {
    try DurableFile.write(Array("\(window)\n".utf8), to: path)
  }

  /// Keeps others from the same file for as long as this process lives.
  func lock() throws {
    do {
      try StateLock.take(path + ".lock")
    } catch {
      throw CommandFailure("\(path): \(error)", exitCode: EX_TEMPFAIL)
    }
  }
}

/// A file that appears whole or not at all.
enum DurableFile {
  static func write(_ content: [UInt8], to path: String) throws {
    func failure(_ operation: String) -> CommandFailure {
      CommandFailure(
        "cannot \(operation) \(path): \(String(cString: strerror(errno)))", exitCode: EX_IOERR)
    }
    let descriptor = open(path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw failure("create") }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, content, content.count) == content.count,
      fsync(descriptor) == 0, rename(path + ".new", path) == 0
    else { throw failure("write") }
    try FileCopy.sync(
      path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".")
  }
}
