internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Watches one connection, so that a client that is slow, or sends what nobody reads, holds nothing for long.
///
/// - From a request's first byte on, its head must be whole within `headTimeMax`; so must the first head of a
///   connection, from its beginning on.
/// - Where an answer is sent before the request is whole, the connection is closed after it: what is left of a body
///   that nobody reads is passed over for `lingerMax`, so that the answer is not lost, and no longer.
/// - Of an answer, each part of `writePartBytes` must be taken within `writeTimeMax`.
///
/// Everything runs on the connection's event loop.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let limits: ConnectionLimits
  private let connections: Connections
  private var number: Int?
  /// Between the head and the end of a request.
  private var isReading = false
  /// Requests whose answer is not written yet.
  private var unanswered = 0
  /// Whether the connection ends with the answer that is being written.
  private var closesAfterAnswer = false
  private var headTimer: Scheduled<Void>?
  private var writeTimer: Scheduled<Void>?
  private var writesUnderWay = 0
  private var writesDone = 0

  init(limits: ConnectionLimits, connections: Connections) {
    self.limits = limits
    self.connections = connections
  }

  func handlerAdded(context: ChannelHandlerContext) {
    // In front of all: it sees bytes before they are a head.
    let watch = FirstByteWatch { [weak self, context] in self?.bytesCame(context) }
    try? context.pipeline.syncOperations.addHandler(watch, position: .first)
    if context.channel.isActive { begin(context) }
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard number == nil else { return }
    number = connections.opened(context.channel)
    startHeadTimer(context)
  }

  private func end() {
    headTimer?.cancel()
    writeTimer?.cancel()
    if let number { connections.closed(number) }
    number = nil
  }

  /// Bytes of the next request, as long as none is being read or worked on.
  private func bytesCame(_ context: ChannelHandlerContext) {
    if !isReading, unanswered == 0, headTimer == nil { startHeadTimer(context) }
  }

  private func startHeadTimer(_ context: ChannelHandlerContext) {
    headTimer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limits.headTimeMax))
    {
      [self] in
      headTimer = nil
      connections.dropped(.slowHead)
      context.close(promise: nil)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !closesAfterAnswer else { return }
    switch unwrapInboundIn(data) {
    case .head:
      headTimer?.cancel()
      headTimer = nil
      isReading = true
      unanswered += 1
      if let number { connections.began(number) }
    case .body: break
    case .end: isReading = false
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(var head) where head.isBareRefusal:
      // The HTTP server's own answer to what is not HTTP has no words.
      let problem = Surface.native.reply(.notHTTP)
      head.headerFields[.contentType] = problem.headers[.contentType]
      head.headerFields[.contentLength] = String(problem.bytes.count)
      context.write(wrapOutboundOut(.head(head)), promise: promise)
      context.write(
        wrapOutboundOut(.body(ByteBuffer(bytes: problem.bytes))), promise: watched(context, nil))
    case .head(var head):
      if isReading, unanswered <= 1, head.status.kind != .informational {
        head.headerFields[.connection] = "close"
        closesAfterAnswer = true
      }
      context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .body(var buffer):
      while buffer.readableBytes > limits.writePartBytes,
        let part = buffer.readSlice(length: limits.writePartBytes)
      {
        context.write(wrapOutboundOut(.body(part)), promise: watched(context, nil))
      }
      context.write(wrapOutboundOut(.body(buffer)), promise: watched(context, promise))
    case .end(let trailers):
      unanswered = max(0, unanswered - 1)
      if unanswered == 0, let number {
        self.number = connections.rested(number, context.channel)
      }
      let done = watched(context, promise)
      if closesAfterAnswer {
        done.futureResult.assumeIsolated().whenComplete { [self] _ in linger(context) }
      }
      context.write(wrapOutboundOut(.end(trailers)), promise: done)
    }
  }

  /// Says that nothing more comes, and waits a little for the client to have read it.
  private func linger(_ context: ChannelHandlerContext) {
    context.close(mode: .output, promise: nil)
    context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limits.lingerMax)) {
      context.close(promise: nil)
    }
  }

  /// A promise of a write that must be kept in time.
  private func watched(
    _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
  ) -> EventLoopPromise<Void> {
    let promise = promise ?? context.eventLoop.makePromise(of: Void.self)
    writesUnderWay += 1
    if writeTimer == nil { startWriteTimer(context) }
    promise.futureResult.assumeIsolated().whenComplete { [self] _ in
      writesUnderWay -= 1
      writesDone += 1
      if writesUnderWay == 0 {
        writeTimer?.cancel()
        writeTimer = nil
      }
    }
    return promise
  }

  private func startWriteTimer(_ context: ChannelHandlerContext) {
    let before = writesDone
    writeTimer = context.eventLoop.assumeIsolated().scheduleTask(
      in: TimeAmount(limits.writeTimeMax)
    ) {
      [self] in
      guard writesDone == before else { return startWriteTimer(context) }
      writeTimer = nil
      connections.dropped(.slowReader)
      context.close(promise: nil)
    }
  }
}

extension HTTPResponse {
  fileprivate var isBareRefusal: Bool {
    status == .badRequest && headerFields[.contentType] == nil
      && headerFields[.contentLength] == "0"
  }
}

extension HTTPProblem {
  fileprivate static let notHTTP = HTTPProblem(
    .badRequest, "Malformed",
    "this is not a request of HTTP/1.1, or its head has more than \(GatewayLimits.headBytesMax) bytes "
      + "or \(GatewayLimits.headerFieldsMax) fields")
}

/// Tells of bytes before they are decoded.
private final class FirstByteWatch: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let onBytes: () -> Void

  init(_ onBytes: @escaping () -> Void) {
    self.onBytes = onBytes
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    onBytes()
    context.fireChannelRead(data)
  }
}
