internal import StackmeterCore

/// What somebody did, or wanted to do, who may see or change what is not theirs.
package struct AuditEntry: Hashable, Sendable {
  package enum Action: String, Sendable {
    /// Usage of others was asked for.
    case read
    /// Something is about to be changed. What became of it is in the next entry of the same request.
    case change
    /// A change was carried out, or was not.
    case outcome
  }

  package enum Decision: String, Sendable {
    case allowed, denied
  }

  static let textBytesMax = 2048

  /// `key:` with an API key's id, `token:` with a token's subject, `user:` with a user's number on this host.
  package var caller: String
  /// operator, provider, tenant or reporter.
  package var role: String
  package var action: Action
  /// The method and the route, or the command.
  package var operation: String
  /// What was asked for, in the request's own words.
  package var filter: String
  package var decision: Decision
  /// The status of the answer; 0 where there is none yet.
  package var status: Int
  /// The size of the answer.
  package var bytes: Int
  /// The id of the request, which its answer carries too.
  package var request: String

  package init(
    caller: String, role: String, action: Action, operation: String, filter: String = "",
    decision: Decision = .allowed, status: Int = 0, bytes: Int = 0, request: String = ""
  ) {
    self.caller = caller
    self.role = role
    self.action = action
    self.operation = operation
    self.filter = filter
    self.decision = decision
    self.status = status
    self.bytes = bytes
    self.request = request
  }

  /// The members of a line that stand in front of its hash, as an object.
  func content(sequence: UInt64, time: Instant) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("sequence", sequence)
      writer.member("time", string: time.description)
      writer.member("caller", string: AuditEntry.bounded(caller))
      writer.member("role", string: role)
      writer.member("action", string: action.rawValue)
      writer.member("operation", string: AuditEntry.bounded(operation))
      writer.member("filter", string: AuditEntry.bounded(filter))
      writer.member("decision", string: decision.rawValue)
      if status > 0 { writer.member("status", status) }
      if bytes > 0 { writer.member("bytes", bytes) }
      writer.member("request", string: request)
    }
    return writer.bytes
  }

  private static func bounded(_ text: String) -> String {
    guard text.utf8.count > textBytesMax else { return text }
    return String(decoding: text.utf8.prefix(textBytesMax), as: UTF8.self) + "…"
  }
}

extension Caller {
  /// Its name in logs.
  var role: String {
    switch self {
    case .operator: "operator"
    case .tenant: "tenant"
    case .provider: "provider"
    case .reporter: "reporter"
    }
  }
}
