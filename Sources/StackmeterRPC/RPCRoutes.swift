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
  private var unaryRoutes: [UnaryRoute] = []
  private let supervisor: CallSupervisor

  init(supervisor: CallSupervisor) {
    self.supervisor = supervisor
  }

  /// Everything that was registered.
  ///
  /// The unary routes come last, and without the types of their messages: where the transport is known, the compiler
  /// specializes all that is done for each call, and that is most of what a call costs.
  func finished() -> RPCRouter<Transport> {
    var router = router
    for route in unaryRoutes {
      router.registerHandler(
        forMethod: route.descriptor, deserializer: PackedDeserializer(),
        serializer: PackedSerializer()
      ) { [supervisor] request, _ in
        // A request that is still on its way takes no place among the calls in flight.
        let packed = try await ServerRequest(stream: request).message
        let staysOnLoop = route.isQuick && packed.count <= RPCLimits.quickBytesMax
        return try await supervisor.supervise(route.descriptor) {
          let response = try await withTaskExecutorPreference(
            staysOnLoop ? nil : globalConcurrentExecutor
          ) { try await route.answer(packed) }
          return StreamingServerResponse(single: ServerResponse(message: response))
        }
      }
    }
    return router
  }

  /// One request, one response. A `quick` handler computes next to nothing itself: small requests are then
  /// answered on the event loop, which saves more than a quick handler takes.
  package mutating func unary<Request, Response>(
    _ method: RPCMethod<Request, Response>, quick: Bool = false,
    _ handler: @escaping @Sendable (Request) async throws -> Response
  ) {
    unaryRoutes.append(
      UnaryRoute(descriptor: method.descriptor(.unary), isQuick: quick) { packed in
        let request: Request = try WireDeserializer().deserialize(packed)
        return try WireSerializer().serialize(try await handler(request))
      })
  }

  /// One request, many responses. The handler is cancelled when the client leaves or the server stops.
  package mutating func serverStreaming<Request, Response>(
    _ method: RPCMethod<Request, Response>,
    _ handler: @escaping @Sendable (Request, RPCWriter<Response>) async throws -> Void
  ) {
    let supervisor = supervisor
    router.registerHandler(
      forMethod: method.descriptor(.serverStreaming), deserializer: WireDeserializer<Request>(),
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
      forMethod: method.descriptor(.bidirectionalStreaming),
      deserializer: WireDeserializer<Request>(),
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

/// One request, one response, both packed.
private struct UnaryRoute: Sendable {
  let descriptor: MethodDescriptor
  let isQuick: Bool
  let answer: @Sendable ([UInt8]) async throws -> [UInt8]
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
        // Streams carry large messages, which would keep the event loop from other calls.
        group.addTask(executorPreference: globalConcurrentExecutor) {
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
