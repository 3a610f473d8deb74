package import GRPCCore
internal import Logging
internal import StackmeterWire
internal import Synchronization

/// The calls that a service answers. One implementation for each service, in its `…Endpoint`.
package protocol RPCEndpoint: Sendable {
  /// The full name, `stackmeter.v1.Collector`.
  static var serviceName: String { get }
  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>)
}

/// Registers handlers together with what every call gets: the limit of calls in flight, an end with the
/// server's stop, and one place that logs what no error table foresaw.
package struct RPCRoutes<Transport: ServerTransport> {
  private var router = RPCRouter<Transport>()
  private let supervisor: CallSupervisor

  init(supervisor: CallSupervisor) {
    self.supervisor = supervisor
  }

  /// Everything that was registered.
  func finished() -> RPCRouter<Transport> { router }

  /// One request, one response.
  package mutating func unary<Request, Response>(
    _ method: RPCMethod<Request, Response>,
    _ handler: @escaping @Sendable (Request) async throws -> Response
  ) {
    let supervisor = supervisor
    router.registerHandler(
      forMethod: method.descriptor, deserializer: WireDeserializer<Request>(),
      serializer: WireSerializer<Response>()
    ) { request, _ in
      // A request that is still on its way takes no place among the calls in flight.
      let request = try await ServerRequest(stream: request)
      return try await supervisor.supervise(method.descriptor) {
        let response = try await handler(request.message)
        return StreamingServerResponse(single: ServerResponse(message: response))
      }
    }
  }

  /// One request, many responses. The handler is cancelled when the client leaves or the server stops.
  package mutating func serverStreaming<Request, Response>(
    _ method: RPCMethod<Request, Response>,
    _ handler: @escaping @Sendable (Request, RPCWriter<Response>) async throws -> Void
  ) {
    let supervisor = supervisor
    router.registerHandler(
      forMethod: method.descriptor, deserializer: WireDeserializer<Request>(),
      serializer: WireSerializer<Response>()
    ) { request, context in
      let request = try await ServerRequest(stream: request)
      return StreamingServerResponse { writer in
        try await supervisor.superviseStream(method.descriptor, context) {
          try await handler(request.message, writer)
        }
        return [:]
      }
    }
  }

  /// Many requests, many responses. The handler is cancelled when the client leaves or the server stops.
  package mutating func bidirectional<Request, Response>(
    _ method: RPCMethod<Request, Response>,
    _ handler:
      @escaping @Sendable (RPCAsyncSequence<Request, any Error>, RPCWriter<Response>) async throws
      -> Void
  ) {
    let supervisor = supervisor
    router.registerHandler(
      forMethod: method.descriptor, deserializer: WireDeserializer<Request>(),
      serializer: WireSerializer<Response>()
    ) { request, context in
      StreamingServerResponse { writer in
        try await supervisor.superviseStream(method.descriptor, context) {
          try await handler(request.messages, writer)
        }
        return [:]
      }
    }
  }
}

/// Counts the calls of one server and ends its streams when it stops.
final class CallSupervisor: Sendable {
  let stop = StopSignal()
  private let callsInFlight = Atomic<Int>(0)
  private let callsInFlightMax: Int
  private let logger: Logger

  init(callsInFlightMax: Int, logger: Logger) {
    self.callsInFlightMax = callsInFlightMax
    self.logger = logger
  }

  func supervise<Result>(
    _ method: MethodDescriptor, _ body: () async throws -> Result
  ) async throws -> Result {
    defer { callsInFlight.subtract(1, ordering: .relaxed) }
    guard callsInFlight.add(1, ordering: .relaxed).newValue <= callsInFlightMax else {
      throw RPCError(
        code: .resourceExhausted,
        message: "\(callsInFlightMax) calls are in flight already; retry after a pause")
    }
    do {
      return try await body()
    } catch let error as RPCError {
      throw error
    } catch let error as any RPCErrorConvertible {
      throw RPCError(error)
    } catch is CancellationError {
      throw RPCError(code: .cancelled, message: "the call was cancelled")
    } catch {
      // The caller learns nothing of the inside; the log has it once.
      logger.error(
        "call failed unexpectedly",
        metadata: ["method": "\(method.fullyQualifiedMethod)", "error": "\(error)"])
      throw RPCError(code: .internalError, message: "the call failed; the service's log has more")
    }
  }

  func superviseStream(
    _ method: MethodDescriptor, _ context: ServerContext,
    _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    try await supervise(method) {
      try await withThrowingTaskGroup(of: End.self) { group in
        group.addTask {
          try await body()
          return .finished
        }
        group.addTask {
          try await context.cancellation.cancelled
          return .cancelled
        }
        group.addTask { [stop] in
          await stop.wait()
          return .stopped
        }
        defer { group.cancelAll() }
        switch try await group.next() {
        case .cancelled: throw RPCError(code: .cancelled, message: "the call was cancelled")
        case .stopped: throw RPCError(code: .unavailable, message: "the service is stopping")
        case .finished, nil: break
        }
      }
    }
  }

  private enum End {
    case finished
    case cancelled
    case stopped
  }
}
