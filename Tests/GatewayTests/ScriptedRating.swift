import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterWire

/// The calls about what usage costs, beside a scripted query service, which says what they answer.
struct ScriptedRating: RPCEndpoint {
  static let serviceName = RatingMethods.service

  let query: ScriptedQuery

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let query = query
    routes.unary(RatingMethods.listRateCards) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return ListRateCardsResponse(versions: [ScriptedRating.version], inForce: "standard")
      }
    }
    routes.unary(RatingMethods.getRateCard) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return GetRateCardResponse(version: ScriptedRating.version, text: Array("card é\n".utf8))
      }
    }
  }

  static let version = RateCardVersion(
    name: "standard", version: 1, effective: Day(parsing: "2026-11-01")!, currency: "EUR",
    hash: [0, 255], byteCount: 8)
}
