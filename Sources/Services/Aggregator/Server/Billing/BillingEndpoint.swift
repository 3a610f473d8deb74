internal import AggregatorClient
package import GRPCCore
package import StackmeterRPC
internal import StackmeterWire

/// The calls that write what bills are made of, beside the aggregator's own.
package struct BillingEndpoint: RPCEndpoint {
  package static let serviceName = BillingMethods.service

  private let aggregator: @Sendable () throws(BillingError) -> Aggregator

  package init(_ aggregator: Aggregator) {
    self.aggregator = { () throws(BillingError) in aggregator }
  }

  /// Those of an aggregator that may still wait for its usage database.
  package init(_ opening: AggregatorOpening) {
    aggregator = { () throws(BillingError) in
      guard let aggregator = opening.opened else { throw .notOpen }
      return aggregator
    }
  }

  package func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let aggregator = aggregator
    routes.unary(BillingMethods.applyRateCard) { try await aggregator().apply($0) }
    routes.unary(BillingMethods.closeStatements) { try await aggregator().closeStatements($0) }
    routes.unary(BillingMethods.writePosting) { try await aggregator().write($0) }
    routes.unary(BillingMethods.shareCost) { try await aggregator().share($0) }
  }
}
