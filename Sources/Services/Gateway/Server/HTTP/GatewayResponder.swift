internal import GRPCCore
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import StackmeterCore

/// The way of every request: route, authenticate, handle, and say every error as its surface does.
struct GatewayResponder: HTTPResponder {
  typealias Context = GatewayContext

  let table: RouteTable
  let authenticator: Authenticator
  let limiter: RateLimiter
  let trail: AuditTrail
  let clock: any WallClock
  let isSecure: Bool
  let metrics: GatewayMetrics
  let logger: Logger

  func respond(to request: Request, context: GatewayContext) async throws -> Response {
    let began = ContinuousClock.now
    let requestID = RequestID()
    let path = request.uri.path
    let surface = Surface(path: path)
    let match = table.match(request.method, path)
    var reply: Reply
    do {
      reply = try await answer(request, context, path: path, match, surface, requestID)
    } catch let problem as HTTPProblem {
      reply = surface.reply(problem)
    } catch let error as BodyReadError {
      // The connection is of no more use; the HTTP server says so if it still can.
      throw error.cause
    } catch {
      reply = surface.reply(self.problem(of: error, requestID: requestID, path: path))
    }
    reply = ReplyEncoding(request.headers).encoded(reply)
    surface.addHeaders(&reply.headers, requestID: requestID, request: request.headers)
    metrics.add(route: match.name, status: reply.status, took: .now - began)
    return reply.response(isHead: request.method == .head)
  }

  private func answer(
    _ request: Request, _ context: GatewayContext, path: String, _ match: RouteTable.Match,
    _ surface: Surface, _ requestID: RequestID
  ) async throws -> Reply {
    switch match {
    case .none:
      throw HTTPProblem(.notFound, "ResourceNotFound", "there is nothing at this path")
    case .otherMethods(let methods):
      let names = methods.map(\.rawValue).joined(separator: ", ")
      throw HTTPProblem(
        .methodNotAllowed, "MethodNotAllowed", "this path takes \(names)",
        headers: [.allow: names])
    case .route(let route, let pathValue):
      let principal =
        route.access == .anyone
        ? .anyone : try await self.principal(request.headers, context, requestID)
      let asked = GatewayRequest(
        head: request.head, body: request.body, path: path, pathValue: pathValue,
        query: request.uri.query ?? "", declared: route.description.parameters,
        principal: principal, isSecure: isSecure)
      return try await answer(asked, route, surface, requestID)
    }
  }

  private func principal(
    _ headers: HTTPFields, _ context: GatewayContext, _ requestID: RequestID
  ) async throws(HTTPProblem) -> Principal {
    if isSecure, headers[.authorization] == nil {
      let names = await context.certificateNames(now: clock.now())
      if !names.isEmpty { return try authenticator.principal(certificate: names, requestID) }
    }
    return try await authenticator.principal(headers, requestID: requestID)
  }

  /// Answers somebody who is known, within what they may do and how often.
  private func answer(
    _ request: GatewayRequest, _ route: Route, _ surface: Surface, _ requestID: RequestID
  ) async throws -> Reply {
    guard route.access.allows(request.caller) else {
      await trail.deny(request, route, requestID: requestID)
      throw HTTPProblem.forbidden(request.caller)
    }
    guard route.access != .anyone else { return try await route.handler(request) }
    let standing = limiter.take(
      route.access == .reporter ? .ingest : .query, of: request.principal.name)
    if let standing, !standing.isAllowed {
      throw HTTPProblem.tooManyRequests(standing, on: surface)
    }
    var reply = try await trail.follow(request, route, requestID: requestID) {
      try await route.handler(request)
    }
    standing?.addHeaders(&reply.headers, on: surface)
    return reply
  }

  private func problem(of error: any Error, requestID: RequestID, path: String) -> HTTPProblem {
    if let error = error as? RPCError, let problem = HTTPProblem(error) { return problem }
    logger.error(
      "request failed unexpectedly",
      metadata: ["request": "\(requestID.text)", "path": "\(path)", "error": "\(error)"])
    return .unexpected
  }
}
