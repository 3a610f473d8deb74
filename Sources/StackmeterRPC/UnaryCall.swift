internal import GRPCCore
internal import NIOCore
internal import Synchronization

/// One request and one response, both packed, over a stream of a transport.
///
/// The library's own way takes three tasks for each call, of which one sleeps until the deadline, and has the server
/// sleep too. This one takes one task, and a timer of the event loop. The server is not told the deadline; it learns
/// of it when the stream is reset.
struct UnaryCall: Sendable {
  let descriptor: MethodDescriptor
  let options: CallOptions
  let request: [UInt8]

  /// Throws `RPCError` with `.deadlineExceeded` once `timeout` is over.
  func run(
    over transport: some ClientTransport, on executor: LoopExecutor, timeout: Duration
  ) async throws -> [UInt8] {
    let deadline = Deadline()
    let exchange = Task(executorPreference: executor) {
      let timer = executor.loop.scheduleTask(in: TimeAmount(timeout)) { deadline.pass() }
      defer { timer.cancel() }
      return try await self.exchange(over: transport)
    }
    deadline.set { exchange.cancel() }
    do {
      return try await withTaskCancellationHandler {
        try await exchange.value
      } onCancel: {
        exchange.cancel()
      }
    } catch {
      guard deadline.isPassed, !Task.isCancelled else { throw error }
      throw RPCError(code: .deadlineExceeded, message: "no answer came within \(timeout)")
    }
  }

  private func exchange<Transport: ClientTransport>(
    over transport: Transport
  ) async throws -> [UInt8] {
    try await transport.withStream(descriptor: descriptor, options: options) { stream, _ in
      var failure: (any Error)?
      do {
        try await stream.outbound.write(
          contentsOf: [.metadata([:]), .message(Transport.Bytes(request))])
      } catch {
        // The server may have answered before it had read all.
        failure = error
      }
      await stream.outbound.finish()
      var response: [UInt8]?
      for try await part in stream.inbound {
        switch part {
        case .metadata: break
        case .message(let bytes):
          guard response == nil else {
            throw RPCError(code: .unimplemented, message: "the answer has several messages")
          }
          response = bytes.withUnsafeBytes { Array($0) }
        case .status(let status, let metadata):
          if let error = RPCError(status: status, metadata: metadata) { throw error }
          guard let response else {
            throw RPCError(code: .unimplemented, message: "the answer has no message")
          }
          return response
        }
      }
      try Task.checkCancellation()
      throw failure ?? RPCError(code: .unavailable, message: "the stream ended without a status")
    }
  }
}

/// Whether the time of a call is over, and what then ends the call.
private final class Deadline: Sendable {
  private struct State {
    var isPassed = false
    var end: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  var isPassed: Bool { state.withLock { $0.isPassed } }

  func set(_ end: @escaping @Sendable () -> Void) {
    let isPassed = state.withLock { state in
      state.end = end
      return state.isPassed
    }
    if isPassed { end() }
  }

  func pass() {
    let end = state.withLock { state in
      state.isPassed = true
      return state.end
    }
    end?()
  }
}
