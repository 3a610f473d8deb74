internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import StackmeterCommerce
internal import StackmeterCore

/// Brings a batch to a commerce service. Throws where nobody knows what became of it.
protocol CommerceSender: Sendable {
  func send(_ batch: OutgoingBatch) async throws -> HTTPAnswer
  func close() async
}

/// By HTTP. Redirects are not followed, as they would take the key elsewhere; nothing is sent twice by itself.
struct HTTPCommerceSender: CommerceSender {
  private let client: HTTPClient
  private let endpoint: String
  private let key: String
  private let answerMax: Duration

  init(_ registration: BridgeRegistration, answerMax: Duration) throws {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    if !registration.trustRoots.isEmpty { tls.trustRoots = .file(registration.trustRoots) }
    var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
    configuration.redirectConfiguration = .disallow
    configuration.decompression = .disabled
    configuration.httpVersion = .http1Only
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.connectionPool.idleTimeout = .seconds(30)
    configuration.timeout.connect = TimeAmount(min(answerMax, .seconds(10)))
    configuration.timeout.read = TimeAmount(answerMax)
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    endpoint = registration.endpoint
    key = registration.key
    self.answerMax = answerMax
  }

  /// Nil where the file is empty or has certificates.
  static func problem(ofTrustRoots path: String) -> String? {
    guard !path.isEmpty else { return nil }
    do {
      let roots = try NIOSSLCertificate.fromPEMFile(path)
      return roots.isEmpty ? "\(path) has no certificate" : nil
    } catch {
      return "\(path) cannot be read as PEM"
    }
  }

  func send(_ batch: OutgoingBatch) async throws -> HTTPAnswer {
    var request = HTTPClientRequest(url: endpoint)
    request.method = .POST
    request.headers = [
      "Authorization": "Bearer \(key)", "Content-Type": "application/json",
      "Content-Encoding": "gzip", "Accept": "application/json",
      "Idempotency-Key": "\"\(batch.id)\"", "User-Agent": "stackmeter-bridge",
    ]
    request.body = .bytes(batch.body)
    let exchange = request
    return try await withThrowingTaskGroup(of: HTTPAnswer?.self) { group in
      group.addTask {
        let response = try await client.execute(exchange, timeout: TimeAmount(answerMax))
        let body = try await response.body.collect(upTo: CommerceAnswer.bytesMax)
        return HTTPAnswer(
          status: Int(response.status.code),
          retryAfter: response.headers.first(name: "Retry-After"),
          location: response.headers.first(name: "Location"), body: Array(body.readableBytesView))
      }
      group.addTask {
        try await Task.sleep(for: answerMax)
        return nil
      }
      defer { group.cancelAll() }
      guard let answer = try await group.next() ?? nil else {
        throw SendError(description: "no whole answer came within \(answerMax)")
      }
      return answer
    }
  }

  func close() async {
    try? await client.shutdown()
  }
}

/// Why nobody knows what became of a batch.
struct SendError: Error, CustomStringConvertible {
  let description: String
}
