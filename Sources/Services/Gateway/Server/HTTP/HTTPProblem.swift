internal import GRPCCore
internal import HTTPTypes
internal import StackmeterCore

/// Why a request is answered with an error. What it says goes to the client.
struct HTTPProblem: Error, Hashable {
  /// A field or parameter at fault.
  struct Field: Hashable, Sendable {
    let field: String
    let message: String
  }

  let status: HTTPResponse.Status
  /// A stable name for programs, such as `InvalidProperty`. Azure's surfaces use Azure's names.
  let code: String
  /// One sentence that names the fault and what is expected.
  let detail: String
  var fields: [Field] = []
  var headers = HTTPFields()
  /// The URI of a problem that others have named too.
  var type = "about:blank"
  /// The limits that were passed.
  var violatedPolicies: [String] = []

  init(
    _ status: HTTPResponse.Status, _ code: String, _ detail: String, fields: [Field] = [],
    headers: HTTPFields = [:]
  ) {
    self.status = status
    self.code = code
    self.detail = detail
    self.fields = fields
    self.headers = headers
  }

  /// With the seconds after which a client may try again.
  func retry(afterSeconds seconds: Int) -> HTTPProblem {
    var problem = self
    problem.headers[.retryAfter] = String(seconds)
    return problem
  }

  static func invalid(_ fields: [Field]) -> HTTPProblem {
    HTTPProblem(
      .badRequest, "InvalidProperty",
      fields.map { "\($0.field): \($0.message)" }.joined(separator: "; "), fields: fields)
  }

  static func invalid(_ field: String, _ message: String) -> HTTPProblem {
    invalid([Field(field: field, message: message)])
  }

  /// Azure's name for it; the header tells every client what to send.
  static let unauthenticated = HTTPProblem(
    .unauthorized, "AuthenticationFailed",
    "a good API key or token is needed: send it as \"Authorization: Bearer …\"",
    headers: [.wwwAuthenticate: "Bearer"])

  /// A caller is known, and may not do this, whatever it names.
  static func forbidden(_ caller: Caller) -> HTTPProblem {
    let problem =
      switch caller {
      case .operator, .tenant: "only an operator may do this"
      case .provider: "a delegated provider sees its tenants' usage; it may not do this"
      case .reporter: "a reporter may only report events and heartbeats of its sources"
      }
    return HTTPProblem(.forbidden, "AuthorizationFailed", problem)
  }

  /// A reporter named a source that is not among its own.
  static func foreignSource(_ source: String) -> HTTPProblem {
    HTTPProblem(
      .forbidden, "SourceNotAllowed",
      "source: this reporter may not report for \"\(source)\"",
      fields: [Field(field: "source", message: "\"\(source)\" is none of this reporter's sources")])
  }

  /// A caller has sent too many requests of a kind.
  static func tooManyRequests(
    _ standing: RateLimiter.Standing, on surface: Surface
  ) -> HTTPProblem {
    let name = standing.kind.rawValue
    var problem = HTTPProblem(
      .tooManyRequests, "TooManyRequests",
      "this caller may send \(standing.limit.requests) requests of the kind \"\(name)\" in "
        + "\(RateLimit.windowSeconds) seconds; retry after \(standing.seconds) s"
    ).retry(afterSeconds: standing.seconds)
    standing.addHeaders(&problem.headers, on: surface)
    problem.type = "https://iana.org/assignments/http-problem-types#quota-exceeded"
    problem.violatedPolicies = [name]
    return problem
  }

  static let unexpected = HTTPProblem(
    .internalServerError, "InternalServerError",
    "the request failed; the gateway's log has more")

  /// Foreign and absent subscriptions are told apart by nothing.
  static func subscriptionNotFound(_ subscription: String) -> HTTPProblem {
    HTTPProblem(
      .notFound, "SubscriptionNotFound", "the subscription \"\(subscription)\" could not be found")
  }
}

extension HTTPProblem {
  /// What a failed call to a service means for the client: the one table. Nil for what no client can help,
  /// which is logged with its cause and told as `unexpected`.
  init?(_ error: RPCError) {
    switch error.code {
    // Out of range is an answer that would be too large; the message says how to ask for less.
    case .invalidArgument, .outOfRange:
      self.init(.badRequest, "InvalidProperty", error.message)
    case .notFound:
      self.init(.notFound, "ResourceNotFound", error.message)
    case .failedPrecondition:
      self.init(.conflict, "Conflict", error.message)
    case .permissionDenied:
      self.init(.forbidden, "AuthorizationFailed", error.message)
    case .resourceExhausted:
      self = HTTPProblem(
        .tooManyRequests, "TooManyRequests",
        "a service has more to do than it takes; retry after a pause"
      ).retry(afterSeconds: 1)
    case .deadlineExceeded:
      self = HTTPProblem(
        .serviceUnavailable, "ServiceUnavailable",
        "the answer took too long; ask for a shorter time or for less, or retry after a pause"
      ).retry(afterSeconds: 1)
    case .unavailable, .cancelled:
      self = HTTPProblem(
        .serviceUnavailable, "ServiceUnavailable",
        "a service does not answer now; retry after a pause"
      ).retry(afterSeconds: 1)
    default:
      return nil
    }
  }
}
