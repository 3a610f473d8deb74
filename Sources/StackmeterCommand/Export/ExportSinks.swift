internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWebhooks
internal import StackmeterWire

/// A file for each window that has usage, in a directory: `usage-2026112315.csv`.
struct DirectorySink: ExportSink {
  let directory: String
  let isCompressed: Bool

  func take(_ window: Hour, _ parts: ExportParts) async throws {
    let question = parts.question
    let isDaily = question.granularity == .daily
    let digits = window.description.filter(\.isNumber).prefix(isDaily ? 8 : 10)
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

  let address: String
  let secret: WebhookSecret
  let client: HTTPClient
  let clock: any WallClock

  init(address: String, secret: WebhookSecret, clock: any WallClock = SystemClock()) {
    self.address = address
    self.secret = secret
    self.clock = clock
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.httpVersion = .http1Only
    configuration.timeout.connect = .seconds(10)
    configuration.timeout.read = TimeAmount(WebhookSink.answerMax)
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }

  func close() async throws {
    try await client.shutdown()
  }

  func take(_ window: Hour, _ parts: ExportParts) async throws {
    let type = parts.question.format == .csv ? "text/csv" : "application/x-ndjson"
    try await parts.read { number, part in
      try await deliver(
        id: "usage-\(window.description.filter(\.isNumber).prefix(10))-\(number)", part.data,
        type: type)
    }
  }

  /// Until it is taken. What stands in the way is said once.
  private func deliver(id: String, _ body: [UInt8], type: String) async throws {
    var pause = WebhookSink.pauses.lowerBound
    var told = ""
    while true {
      let problem = await problem(id: id, body, type: type)
      guard let problem else { return }
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

  /// Nil where it was taken.
  private func problem(id: String, _ body: [UInt8], type: String) async -> String? {
    let message = Webhook(id: id, sent: clock.now(), body: body)
    var request = HTTPClientRequest(url: address)
    request.method = .POST
    for header in message.headers([secret]) {
      request.headers.add(name: header.name, value: header.value)
    }
    request.headers.add(name: "Content-Type", value: type)
    request.body = .bytes(body)
    do {
      let response = try await client.execute(
        request, timeout: TimeAmount(WebhookSink.answerMax))
      return (200...299).contains(response.status.code)
        ? nil : "the webhook answers \(response.status.code)"
    } catch {
      return "the webhook does not answer: \(error)"
    }
  }
}
