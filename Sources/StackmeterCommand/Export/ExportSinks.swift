internal import QueryClient
internal import StackmeterCore
internal import StackmeterDelivery
internal import StackmeterRuntime
internal import StackmeterWire

/// A file for each window that has usage, in a directory: `usage-2026112315.csv`.
struct DirectorySink: ExportSink {
  let directory: String
  let isCompressed: Bool

  func take(_ window: Hour, _ parts: ExportParts) async throws {
    let question = parts.question
    let isDaily = question.granularity == .daily
    let digits = window.digits.prefix(isDaily ? 8 : 10)
    let type = question.format == .csv ? "csv" : "ndjson"
    let file = ExportFile(
      path: "\(directory)/usage-\(digits).\(type)\(isCompressed ? ".gz" : "")",
      isCompressed: isCompressed)
    var output = try file.open(question.packed())
    var request = question
    repeat {
      request.pageToken = output.token
      let answer = try await parts.query.exportUsage(request)
      try output.append(answer.data, next: answer.nextPageToken)
    } while !output.token.isEmpty
    try output.finish()
  }
}

/// Standard output, a window at a time. Where it is killed before the cursor moved, the last window comes once more.
struct OutputSink: ExportSink {
  func take(_ window: Hour, _ parts: ExportParts) async throws {
    try await parts.read { _, part in StandardStream.output.write(bytes: part.data) }
  }
}

/// A signed `POST` for each part of a window, in the manner of Standard Webhooks. The id of a message says which window
/// and part it is; it is sent until it is taken.
struct WebhookSink: ExportSink {
  static let answerMax: Duration = .seconds(30)
  static let pauses: ClosedRange<Duration> = .seconds(1)...(.seconds(60))

  private let sender: WebhookSender

  init(address: String, secrets: WebhookSecretFile, clock: any WallClock = SystemClock()) {
    sender = WebhookSender(
      url: address, secrets: secrets, answerMax: WebhookSink.answerMax, clock: clock)
  }

  func close() async {
    await sender.close()
  }

  func take(_ window: Hour, _ parts: ExportParts) async throws {
    let type = parts.question.format == .csv ? "text/csv" : "application/x-ndjson"
    try await parts.read { number, part in
      try await deliver(id: "usage-\(window.digits)-\(number)", type: type, part.data)
    }
  }

  /// Until it is taken. What stands in the way is said once.
  private func deliver(id: String, type: String, _ body: [UInt8]) async throws {
    var pause = WebhookSink.pauses.lowerBound
    var told = ""
    while let problem = await sender.send(id: id, type: type, body: body) {
      try Task.checkCancellation()
      if problem != told {
        StandardStream.error.write(
          "stackmeter: \(terminalText(id)): \(terminalText(problem)); trying again\n")
        told = problem
      }
      try await Task.sleep(for: pause)
      pause = min(pause * 2, WebhookSink.pauses.upperBound)
    }
  }
}
