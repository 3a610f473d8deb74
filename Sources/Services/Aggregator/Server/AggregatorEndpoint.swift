internal import AggregatorClient
package import GRPCCore
package import StackmeterRPC
internal import StackmeterWire

/// The aggregator's calls.
package struct AggregatorEndpoint: RPCEndpoint {
  package static let serviceName = AggregatorMethods.service

  private let aggregator: Aggregator

  package init(_ aggregator: Aggregator) {
    self.aggregator = aggregator
  }

  package func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let aggregator = aggregator
    routes.unary(AggregatorMethods.getStatus) { _ in aggregator.status() }
    routes.unary(AggregatorMethods.restate) { try await aggregator.restate($0) }
  }
}
