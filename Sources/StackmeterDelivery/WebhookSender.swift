internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
package import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWebhooks

/// Posts events to one receiver, signed in the manner of Standard Webhooks.
///
/// Redirects are not followed, as they would take an event elsewhere, and nothing is sent twice by itself.
package struct WebhookSender: Sendable {
  /// How long a receiver may take.
  package static let timeout: Duration = .seconds(5)
  private static let secretBytesMax = 4096
  /// What is read of an answer; nobody needs it.
  private static let answerBytesMax = 64 << 10

  private let client: HTTPClient
  private let url: String
  private let secretPath: String
  private let clock: any WallClock

  /// - Parameter secretPath: A file with the secret on a line, or with two while one replaces the other. It is read
  ///   before each try.
  package init(url: String, secretPath: String, clock: any WallClock) {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.decompression = .disabled
    configuration.httpVersion = .http1Only
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.timeout.connect = .seconds(WebhookSender.timeout.components.seconds)
    configuration.timeout.read = .seconds(WebhookSender.timeout.components.seconds)
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    self.url = url
    self.secretPath = secretPath
    self.clock = clock
  }

  /// Tries once; why the receiver has not taken it, nil where it has.
  package func send(id: String, event: [UInt8]) async -> String? {
    let secrets: [WebhookSecret]
    switch WebhookSender.secrets(secretPath) {
    case .success(let found): secrets = found.secrets
    case .failure(let error): return "\(error)"
    }
    let webhook = Webhook(id: id, sent: clock.now(), body: event)
    var request = HTTPClientRequest(url: url)
    request.method = .POST
    request.headers = [
      "Content-Type": "application/cloudevents+json", "User-Agent": "stackmeter",
    ]
    for (name, value) in webhook.headers(secrets) { request.headers.add(name: name, value: value) }
    request.body = .bytes(event)
    do {
      let response = try await client.execute(
        request, timeout: .seconds(WebhookSender.timeout.components.seconds))
      _ = try? await response.body.collect(upTo: WebhookSender.answerBytesMax)
      let code = response.status.code
      return (200..<300).contains(code) ? nil : "the receiver has answered with status \(code)"
    } catch let error as HTTPClientError {
      return "the receiver has not answered: \(error.shortDescription)"
    } catch {
      return "the receiver cannot be reached"
    }
  }

  package func close() async {
    try? await client.shutdown()
  }

  private struct Secrets {
    let secrets: [WebhookSecret]
  }

  private static func secrets(_ path: String) -> Result<Secrets, SettingsError> {
    do {
      let text = String(
        decoding: try fileContent(path, bytesMax: secretBytesMax), as: UTF8.self)
      let secrets = text.split(whereSeparator: \.isWhitespace).map { WebhookSecret(String($0)) }
      guard !secrets.isEmpty, secrets.count <= 2, !secrets.contains(where: { $0 == nil }) else {
        return .failure(
          SettingsError(
            problems: [
              "\(path) must have one secret, or two: \(WebhookSecret.prefix) and "
                + "\(WebhookSecret.byteCounts.lowerBound) to \(WebhookSecret.byteCounts.upperBound) bytes as base64"
            ]))
      }
      return .success(Secrets(secrets: secrets.compactMap { $0 }))
    } catch {
      return .failure(SettingsError(problems: ["the secret of webhooks cannot be read: \(error)"]))
    }
  }
}
