internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import StackmeterCore

/// Asks a key set's URL for its content: one GET, no redirects, a few seconds, few bytes.
struct KeySetDownload: Sendable {
  private let address: KeySetAddress
  private let timeMax: Duration
  private let context: NIOSSLContext?

  /// `trustRoots` is a PEM file of certification authorities; empty for those of the host.
  init(
    _ address: KeySetAddress, trustRoots: String = "",
    timeMax: Duration = TokenLimits.downloadTimeMax
  ) throws(VerificationKeysError) {
    self.address = address
    self.timeMax = timeMax
    guard address.isSecure else {
      context = nil
      return
    }
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    if !trustRoots.isEmpty { configuration.trustRoots = .file(trustRoots) }
    do {
      context = try NIOSSLContext(configuration: configuration)
    } catch {
      throw VerificationKeysError(
        description: "the certificates to trust cannot be read from "
          + "\(trustRoots.isEmpty ? "the host" : trustRoots): \(error)")
    }
  }

  /// The body of the answer. Takes no longer than `timeMax`, whatever hangs.
  func content() async throws(VerificationKeysError) -> [UInt8] {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let done = loop.makePromise(of: [UInt8].self)
    let timeout = loop.scheduleTask(in: TimeAmount(timeMax)) {
      done.fail(VerificationKeysError(description: "there was no answer within \(timeMax)"))
    }
    let (address, context) = (address, context)
    let connection = ClientBootstrap(group: loop)
      .connectTimeout(TimeAmount(timeMax))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let context {
            try pipeline.addHandler(
              try NIOSSLClientHandler(
                context: context, serverHostname: address.isHostAnAddress ? nil : address.host))
          }
          try pipeline.addHTTPClientHandlers()
          try pipeline.addHandler(KeySetExchange(address, done))
        }
      }
      .connect(host: address.host, port: address.port)
    connection.whenFailure { done.fail($0) }
    done.futureResult.whenComplete { _ in
      timeout.cancel()
      connection.whenSuccess { $0.close(promise: nil) }
    }
    do {
      return try await done.futureResult.get()
    } catch let error as VerificationKeysError {
      throw error
    } catch {
      throw VerificationKeysError(description: "\(error)")
    }
  }
}

/// One request and its answer, on the connection's event loop.
private final class KeySetExchange: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private let address: KeySetAddress
  private let done: EventLoopPromise<[UInt8]>
  private var bytes: [UInt8] = []

  init(_ address: KeySetAddress, _ done: EventLoopPromise<[UInt8]>) {
    self.address = address
    self.done = done
  }

  func channelActive(context: ChannelHandlerContext) {
    let name = address.host.contains(":") ? "[\(address.host)]" : address.host
    let headers: HTTPHeaders = [
      "Host": address.port == (address.isSecure ? 443 : 80) ? name : "\(name):\(address.port)",
      "Accept": "application/jwk-set+json, application/json", "Connection": "close",
      "User-Agent": "stackmeter",
    ]
    let head = HTTPRequestHead(
      version: .http1_1, method: .GET, uri: address.target, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      guard head.status == .ok else {
        return fail(context, "the answer is \(head.status.code) \(head.status.reasonPhrase)")
      }
    case .body(let part):
      guard bytes.count + part.readableBytes <= TokenLimits.keySetBytesMax else {
        return fail(context, "the answer has more than \(TokenLimits.keySetBytesMax) bytes")
      }
      bytes += part.readableBytesView
    case .end:
      done.succeed(bytes)
      context.close(promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    fail(context, "\(error)")
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(context, "the connection was closed early")
  }

  /// The first outcome counts; what comes after it changes nothing.
  private func fail(_ context: ChannelHandlerContext, _ problem: String) {
    done.fail(VerificationKeysError(description: problem))
    context.close(promise: nil)
  }
}
