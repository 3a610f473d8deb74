internal import AggregatorClient
package import GRPCCore
package import StackmeterRPC
internal import StackmeterWire

/// The aggregator's calls.
package struct AggregatorEndpoint: RPCEndpoint {
  package static let serviceName = AggregatorMethods.service

  private let status: @Sendable () -> AggregatorStatus

  package init(_ aggregator: Aggregator) {
    status = aggregator.status
  }

  /// Those of an aggregator that may still wait for its usage database.
  package init(_ opening: AggregatorOpening) {
    status = opening.status
  }

  package func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let status = status
    routes.unary(AggregatorMethods.getStatus) { _ in status() }
  }
}
