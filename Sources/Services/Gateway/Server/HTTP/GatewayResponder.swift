internal import GRPCCore
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import StackmeterCore

/// The way of every request: route, authenticate, handle, and say every error as its surface does.
struct GatewayResponder: HTTPResponder {
  typealias Context = BasicRequestContext

  let table: RouteTable
  let authenticator: Authenticator
  let logger: Logger

  func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
    let requestID = RequestID()
    let path = request.uri.path
    let surface = Surface(path: path)
    var reply: Reply
    do {
      reply = try await answer(request, path: path, requestID: requestID)
    } catch let problem as HTTPProblem {
      reply = surface.reply(problem)
    } catch let error as BodyReadError {
      // The connection is of no more use; the HTTP server says so if it still can.
      throw error.cause
    } catch {
      reply = surface.reply(self.problem(of: error, requestID: requestID, path: path))
    }
    surface.addHeaders(&reply.headers, requestID: requestID, request: request.headers)
    return reply.response(isHead: request.method == .head)
  }

  private func answer(
    _ request: Request, path: String, requestID: RequestID
  ) async throws -> Reply {
    switch table.match(request.method, path) {
    case .none:
      throw HTTPProblem(.notFound, "ResourceNotFound", "there is nothing at this path")
    case .otherMethods(let methods):
      let names = methods.map(\.rawValue).joined(separator: ", ")
      throw HTTPProblem(
        .methodNotAllowed, "MethodNotAllowed", "this path takes \(names)",
        headers: [.allow: names])
    case .route(let route, let pathValue):
      let principal = try await authenticate(request.headers, for: route, requestID)
      return try await route.handler(
        GatewayRequest(
          head: request.head, body: request.body, path: path, pathValue: pathValue,
          query: request.uri.query ?? "", principal: principal))
    }
  }

  private func authenticate(
    _ headers: HTTPFields, for route: Route, _ requestID: RequestID
  ) async throws(HTTPProblem) -> Principal {
    guard route.access != .anyone else { return .anyone }
    let principal = try await authenticator.principal(headers, requestID: requestID)
    guard route.access.allows(principal.caller) else { throw .forbidden(principal.caller) }
    return principal
  }

  private func problem(of error: any Error, requestID: RequestID, path: String) -> HTTPProblem {
    if let error = error as? RPCError, let problem = HTTPProblem(error) { return problem }
    logger.error(
      "request failed unexpectedly",
      metadata: ["request": "\(requestID.text)", "path": "\(path)", "error": "\(error)"])
    return .unexpected
  }
}
