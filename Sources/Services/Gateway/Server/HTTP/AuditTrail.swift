internal import HTTPTypes
internal import Logging
internal import StackmeterCore

/// Sees to it that what operators and providers ask of others' usage, and every change, is written down, and is not
/// answered or done where it cannot be.
struct AuditTrail: Sendable {
  /// Nil where nothing is written down.
  let log: AuditLog?
  let logger: Logger

  /// Answers a request of a caller who may ask it.
  func follow(
    _ request: GatewayRequest, _ route: Route, requestID: RequestID,
    _ answer: () async throws -> Reply
  ) async throws -> Reply {
    guard let log, let action = route.audited(request.caller) else { return try await answer() }
    var entry = AuditEntry(
      caller: request.principal.name, role: request.caller.role, action: action,
      operation: "\(request.head.method.rawValue) \(route.path.text)",
      filter: AuditTrail.filter(request), request: requestID.text)
    if action == .change { try await write(entry, log) }
    let reply: Result<Reply, any Error>
    do { reply = .success(try await answer()) } catch { reply = .failure(error) }
    if action == .change { entry.action = .outcome }
    switch reply {
    case .success(let reply):
      entry.status = reply.status.code
      entry.bytes = reply.bytes.count
    case .failure(let error):
      entry.status = (error as? HTTPProblem)?.status.code ?? 500
    }
    do {
      try await write(entry, log)
    } catch {
      // What was changed is changed, and was written down before.
      guard action == .change else { throw error }
    }
    return try reply.get()
  }

  /// Writes down that somebody wanted what they may not.
  func deny(
    _ request: GatewayRequest, _ route: Route, requestID: RequestID
  ) async {
    guard let log, route.access == .operatorOnly || route.access == .provider else { return }
    _ = try? await write(
      AuditEntry(
        caller: request.principal.name, role: request.caller.role,
        action: route.method == .get ? .read : .change,
        operation: "\(request.head.method.rawValue) \(route.path.text)",
        filter: AuditTrail.filter(request), decision: .denied, status: 403,
        request: requestID.text), log)
  }

  private static func filter(_ request: GatewayRequest) -> String {
    (request.pathValue.isEmpty ? "" : "{id}=\(request.pathValue) ") + request.query
  }

  private func write(_ entry: AuditEntry, _ log: AuditLog) async throws(HTTPProblem) {
    do throws(AuditError) {
      try await log.append(entry)
    } catch {
      logger.critical(
        "what was asked cannot be written down, so it is refused", metadata: ["error": "\(error)"])
      throw HTTPProblem(
        .serviceUnavailable, "AuditUnavailable",
        "this is written down in the audit log, which cannot be written now"
      ).retry(afterSeconds: 5)
    }
  }
}

extension Route {
  /// Whether a request of this caller is written down, and as what. Reports are not: the journal has them.
  func audited(_ caller: Caller) -> AuditEntry.Action? {
    switch audit {
    case .never: return nil
    case .byMethod where method != .get: return access == .anyone ? nil : .change
    case .byMethod, .reads:
      switch caller {
      case .operator, .provider: return access == .anyone ? nil : .read
      case .tenant, .reporter: return nil
      }
    }
  }
}
