package import GRPCCore
internal import QueryClient
package import StackmeterRPC
internal import StackmeterWire

/// Query's calls.
package struct QueryEndpoint: RPCEndpoint {
  package static let serviceName = QueryMethods.service

  private let query: Query

  package init(_ query: Query) {
    self.query = query
  }

  package func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let query = query
    routes.unary(QueryMethods.listUsage) { try await query.listUsage($0) }
    routes.unary(QueryMethods.exportUsage) { try await query.exportUsage($0) }
    routes.unary(QueryMethods.summarize) { try await query.summarize($0) }
    routes.unary(QueryMethods.listMeters) { _ in try await query.listMeters() }
    routes.unary(QueryMethods.listWindows) { try await query.listWindows($0) }
    routes.unary(QueryMethods.listSubscriptions) { try await query.listSubscriptions($0) }
    routes.unary(QueryMethods.listSources) { try await query.listSources($0) }
    routes.unary(QueryMethods.explain) { try await query.explain($0) }
    routes.unary(QueryMethods.getStatus) { _ in await query.status() }
  }
}
