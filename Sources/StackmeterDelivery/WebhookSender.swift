internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
package import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWebhooks

/// Posts messages to one receiver, signed in the manner of Standard Webhooks.
///
/// Redirects are not followed, as they would take a message elsewhere, and nothing is sent twice by itself.
package struct WebhookSender: Sendable {
  private static let connectMax: Duration = .seconds(5)
  /// What is read of an answer; nobody needs it.
  private static let answerBytesMax = 64 << 10

  private let client: HTTPClient
  private let url: String
  private let secrets: WebhookSecretFile
  private let answerMax: Duration
  private let clock: any WallClock

  /// - Parameters:
  ///   - secrets: Read before each try, so that they can be replaced while this runs.
  ///   - answerMax: How long a receiver may take for one message.
  package init(
    url: String, secrets: WebhookSecretFile, answerMax: Duration, clock: any WallClock
  ) {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.decompression = .disabled
    configuration.httpVersion = .http1Only
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.timeout.connect = TimeAmount(min(answerMax, WebhookSender.connectMax))
    configuration.timeout.read = TimeAmount(answerMax)
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    self.url = url
    self.secrets = secrets
    self.answerMax = answerMax
    self.clock = clock
  }

  /// Tries once; why the receiver has not taken it, nil where it has.
  ///
  /// - Parameter type: The media type of the body.
  package func send(id: String, type: String, body: [UInt8]) async -> String? {
    let webhook = Webhook(id: id, sent: clock.now(), body: body)
    var request = HTTPClientRequest(url: url)
    request.method = .POST
    request.headers = ["Content-Type": type, "User-Agent": "stackmeter"]
    do throws(SettingsError) {
      for (name, value) in webhook.headers(try secrets.secrets()) {
        request.headers.add(name: name, value: value)
      }
    } catch {
      return "\(error)"
    }
    request.body = .bytes(body)
    do {
      let response = try await client.execute(request, timeout: TimeAmount(answerMax))
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
}
