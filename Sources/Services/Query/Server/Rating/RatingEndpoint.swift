package import GRPCCore
internal import QueryClient
package import StackmeterRPC
internal import StackmeterWire

/// The calls about what usage costs.
package struct RatingEndpoint: RPCEndpoint {
  package static let serviceName = RatingMethods.service

  private let rating: Rating

  package init(_ rating: Rating) {
    self.rating = rating
  }

  package func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let rating = rating
    routes.unary(RatingMethods.listRateCards) { try await rating.listRateCards($0) }
    routes.unary(RatingMethods.getRateCard) { try await rating.rateCard($0) }
    routes.unary(RatingMethods.listRates) { try await rating.listRates($0) }
    routes.unary(RatingMethods.listCharges) { try await rating.listCharges($0) }
    routes.unary(RatingMethods.listStatements) { try await rating.listStatements($0) }
    routes.unary(RatingMethods.getStatement) { try await rating.statement($0) }
    routes.unary(RatingMethods.tryRateCard) { try await rating.tryRateCard($0) }
    routes.unary(RatingMethods.listBudgets) { try await rating.listBudgets($0) }
    routes.unary(RatingMethods.exportFocus) { try await rating.exportFocus($0) }
    routes.unary(RatingMethods.showback) { try await rating.showback($0) }
    routes.unary(RatingMethods.reconcile) { try await rating.reconcile($0) }
  }
}
