internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Synchronization

/// How much of a body is taken, and how slowly it may come.
struct BodyLimits: Sendable {
  /// More is refused as soon as it is known.
  let bytesMax: Int
  /// How long a body may be waited for in all, beside the time that its bytes are given.
  var graceMax: Duration = GatewayLimits.bodyGraceMax
  /// The slowest that it may come.
  var bytesPerSecondMin = GatewayLimits.bodyBytesPerSecondMin

  static let events = BodyLimits(bytesMax: GatewayLimits.eventsBodyBytesMax)
  static let eventLines = BodyLimits(bytesMax: GatewayLimits.eventLinesBodyBytesMax)
  static let rpc = BodyLimits(bytesMax: GatewayLimits.rpcBodyBytesMax)
  static let heartbeat = BodyLimits(bytesMax: GatewayLimits.heartbeatBodyBytesMax)
}

/// A body that broke off or was not HTTP.
struct BodyReadError: Error {
  let cause: any Error
}

extension GatewayRequest {
  /// The whole body, within the limits.
  func bytes(_ limits: BodyLimits) async throws -> [UInt8] {
    try await reading(limits) { try await $0.collect() }
  }

  /// Lends the body as it arrives, within the limits, for as long as `body` runs.
  func reading<Result: Sendable>(
    _ limits: BodyLimits, _ consume: @escaping @Sendable (BoundedBody) async throws -> Result
  ) async throws -> Result {
    try await body.reading(
      announced: head.headerFields[.contentLength].flatMap { Int($0) },
      coding: try BodyCoding(head.headerFields), limits, consume)
  }
}

extension RequestBody {
  /// As `GatewayRequest.reading`. Throws where more than what is taken was announced, and where it comes too slowly.
  func reading<Result: Sendable>(
    announced: Int?, coding: BodyCoding = .identity, _ limits: BodyLimits,
    _ consume: @escaping @Sendable (BoundedBody) async throws -> Result
  ) async throws -> Result {
    if let announced, announced > limits.bytesMax { throw HTTPProblem.bodyTooLarge(limits) }
    let patience = Patience(limits)
    return try await withThrowingTaskGroup(of: Result?.self) { group in
      group.addTask {
        try await consume(
          BoundedBody(
            body: self, announced: announced, coding: coding, limits: limits, patience: patience))
      }
      group.addTask {
        try await patience.end()
        return nil
      }
      defer { group.cancelAll() }
      guard let result = try await group.next() ?? nil else {
        throw HTTPProblem(
          .requestTimeout, "RequestTimeout",
          "the body came too slowly: it may be waited for \(limits.graceMax) in all, "
            + "and a second more for each \(limits.bytesPerSecondMin) bytes")
      }
      return result
    }
  }
}

/// A request's body, whose bytes and time are counted while it is read.
struct BoundedBody: AsyncSequence, Sendable {
  fileprivate let body: RequestBody
  fileprivate let announced: Int?
  fileprivate let coding: BodyCoding
  fileprivate let limits: BodyLimits
  fileprivate let patience: Patience

  struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate var body: RequestBody.AsyncIterator
    fileprivate let limits: BodyLimits
    fileprivate let patience: Patience
    fileprivate var gzip: GzipPieces?
    fileprivate var byteCount = 0

    mutating func next() async throws -> ByteBuffer? {
      guard gzip != nil else { return try await encoded() }
      while true {
        while gzip?.isEmpty == false {
          if let piece = try gzip?.next(), piece.readableBytes > 0 { return piece }
        }
        guard let chunk = try await encoded() else {
          try gzip?.finish()
          return nil
        }
        gzip?.add(chunk)
      }
    }

    /// As it comes.
    private mutating func encoded() async throws -> ByteBuffer? {
      patience.begin()
      let chunk: ByteBuffer?
      do {
        chunk = try await body.next(isolation: #isolation)
      } catch {
        throw BodyReadError(cause: error)
      }
      guard let chunk else {
        patience.pause(bytes: 0)
        return nil
      }
      patience.pause(bytes: chunk.readableBytes)
      byteCount += chunk.readableBytes
      guard byteCount <= limits.bytesMax else { throw HTTPProblem.bodyTooLarge(limits) }
      return chunk
    }
  }

  func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(
      body: body.makeAsyncIterator(), limits: limits, patience: patience,
      gzip: coding == .gzip ? GzipPieces(bytesMax: limits.bytesMax) : nil)
  }

  func collect() async throws -> [UInt8] {
    var bytes: [UInt8] = []
    // What was announced need not come, so not all of it is set aside at once.
    bytes.reserveCapacity(Swift.min(announced ?? 0, 1 << 20))
    for try await chunk in self { bytes.append(contentsOf: chunk.readableBytesView) }
    return bytes
  }
}

/// How long a client may still be waited for. The time in which the gateway does not read is not held against it.
private final class Patience: Sendable {
  private struct State {
    var bytes = 0
    var waited: Duration = .zero
    var since: ContinuousClock.Instant?
  }

  /// The watch does not look more often.
  private static let checkMin: Duration = .milliseconds(20)

  private let limits: BodyLimits
  private let state = Mutex(State())

  init(_ limits: BodyLimits) {
    self.limits = limits
  }

  /// The client is waited for from now on.
  func begin() {
    state.withLock { $0.since = ContinuousClock.now }
  }

  /// It is not, because so many bytes came.
  func pause(bytes: Int) {
    state.withLock { state in
      if let since = state.since { state.waited += ContinuousClock.now - since }
      state.since = nil
      state.bytes += bytes
    }
  }

  /// Returns once it is over.
  func end() async throws {
    while true {
      let left = state.withLock { state in
        let waiting = state.since.map { ContinuousClock.now - $0 } ?? .zero
        let given =
          limits.graceMax + .microseconds(state.bytes) * 1_000_000 / limits.bytesPerSecondMin
        return given - state.waited - waiting
      }
      guard left > .zero else { return }
      try await Task.sleep(for: max(left, Patience.checkMin))
    }
  }
}

extension HTTPProblem {
  fileprivate static func bodyTooLarge(_ limits: BodyLimits) -> HTTPProblem {
    HTTPProblem(
      .contentTooLarge, "ContentTooLarge",
      "the body may have at most \(limits.bytesMax) bytes; send it in parts")
  }
}
