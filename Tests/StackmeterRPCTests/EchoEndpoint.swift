import GRPCCore
import StackmeterRPC
import StackmeterWire

/// Calls of each kind, for a server that does what a test wants.
enum EchoMethods {
  static let service = "stackmeter.test.Echo"
  /// Gives back what it is given.
  static let echo = RPCMethod<JournalChunk, JournalChunk>(service, "Echo")
  /// Gives as many chunks as `fromPosition` says, then stays where `follow` says so.
  static let count = RPCMethod<ReadJournalRequest, JournalChunk>(service, "Count")
  /// Gives back each message as it comes.
  static let exchange = RPCMethod<JournalChunk, JournalChunk>(service, "Exchange")
  /// Tells that it was called, and does not answer before the endpoint's `release`.
  static let hang = RPCMethod<GetStatusRequest, GetStatusRequest>(service, "Hang")
  /// Fails as `service` says.
  static let fail = RPCMethod<HealthCheckRequest, GetStatusRequest>(service, "Fail")
  /// Answers with as many bytes as `fromPosition` says.
  static let inflate = RPCMethod<ReadJournalRequest, JournalChunk>(service, "Inflate")
}

/// The methods of the standard, as a stranger would call them.
enum HealthCalls {
  static let service = "grpc.health.v1.Health"
  static let check = RPCMethod<HealthCheckRequest, HealthCheckResponse>(service, "Check")
  static let watch = RPCMethod<HealthCheckRequest, HealthCheckResponse>(service, "Watch")
}

/// What no error table foresaw.
struct InsideError: Error, CustomStringConvertible {
  var description: String { "secret of the inside" }
}

/// An error that a service maps itself.
struct MappedError: Error, RPCErrorConvertible {
  var rpcErrorCode: RPCError.Code { .failedPrecondition }
  var rpcErrorMessage: String { "mapped" }
  var rpcErrorMetadata: Metadata { [:] }
}

struct EchoEndpoint: RPCEndpoint {
  static let serviceName = EchoMethods.service

  /// One element for each call of `hang` that arrived.
  let arrivals: AsyncStream<Void>
  /// Lets the calls of `hang` go on.
  let release = StopSignal()
  private let arrived: AsyncStream<Void>.Continuation

  init() {
    (arrivals, arrived) = AsyncStream.makeStream()
  }

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.unary(EchoMethods.echo) { request in request }
    routes.unary(EchoMethods.hang) { request in
      arrived.yield()
      await release.wait()
      return request
    }
    routes.unary(EchoMethods.fail) { request in
      switch request.service {
      case "status": throw RPCError(code: .aborted, message: "said so")
      case "mapped": throw MappedError()
      case "cancelled": throw CancellationError()
      default: throw InsideError()
      }
    }
    routes.unary(EchoMethods.inflate) { request in
      JournalChunk(
        records: Array(repeating: 0, count: Int(request.fromPosition)), nextPosition: 0,
        durablePosition: 0, journalID: 0)
    }
    routes.serverStreaming(EchoMethods.count) { request, writer in
      for position in 0..<request.fromPosition {
        try await writer.write(
          JournalChunk(
            records: [], nextPosition: position, durablePosition: request.fromPosition,
            journalID: 0))
      }
      if request.follow { await StopSignal().wait() }
    }
    routes.bidirectional(EchoMethods.exchange) { requests, writer in
      for try await request in requests { try await writer.write(request) }
    }
  }
}

extension JournalChunk {
  /// A chunk that is told from others by its number.
  static func numbered(_ number: UInt64) -> JournalChunk {
    JournalChunk(records: [1, 2, 3], nextPosition: number, durablePosition: 0, journalID: 0)
  }
}
