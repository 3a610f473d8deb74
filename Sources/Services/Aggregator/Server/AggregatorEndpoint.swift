internal import AggregatorClient
package import GRPCCore
package import StackmeterRPC
internal import StackmeterWire

/// The aggregator's calls.
package struct AggregatorEndpoint: RPCEndpoint {
  package static let serviceName = AggregatorMethods.service

  private let status: @Sendable () -> AggregatorStatus
  private let restate: @Sendable (RestateRequest) async throws -> RestateResponse

  package init(_ aggregator: Aggregator) {
    status = aggregator.status
    restate = { try await aggregator.restate($0) }
  }

  /// Those of an aggregator that may still wait for its usage database.
  package init(_ opening: AggregatorOpening) {
    status = opening.status
    restate = { try await opening.restate($0) }
  }

  package func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let (status, restate) = (status, restate)
    routes.unary(AggregatorMethods.getStatus) { _ in status() }
    routes.unary(AggregatorMethods.restate) { try await restate($0) }
  }
}
