internal import HTTPTypes
internal import Hummingbird
internal import StackmeterCore

/// One request, as a handler sees it: authenticated, its path matched, its parameters decoded.
struct GatewayRequest: Sendable {
  let head: HTTPRequest
  let body: RequestBody
  /// As it stands in the request, without a query.
  let path: String
  /// The decoded `{id}` of the path; empty where the path has none.
  let pathValue: String
  let query: String
  /// The parameters that the route declares.
  let declared: [Parameter]
  let principal: Principal
  /// It came by HTTPS.
  let isSecure: Bool

  var caller: Caller { principal.caller }

  /// Reads the query by what the route declares.
  func parameters() throws(HTTPProblem) -> ParameterReader {
    ParameterReader(try QueryParameters(parsing: query), declared: declared)
  }

  /// For a route that declares no parameters: throws where there are some.
  func refuseParameters() throws(HTTPProblem) { try parameters().finish() }
}

/// A method and a path, who may use it, what it takes and gives, and what answers.
struct Route: Sendable {
  enum Access: Sendable, CaseIterable {
    case anyone
    /// Operators, providers and tenants: each sees what is theirs.
    case caller
    /// Operators and delegated providers.
    case provider
    /// Operators, and those who only report.
    case reporter
    case operatorOnly

    func allows(_ caller: Caller) -> Bool {
      switch (self, caller) {
      case (.anyone, _), (_, .operator): true
      case (.caller, .tenant), (.caller, .provider), (.provider, .provider): true
      case (.reporter, .reporter): true
      default: false
      }
    }
  }

  /// Whether requests of those who see others' usage, and changes, are written down in the audit log.
  enum Audit: Sendable {
    /// Reads of operators and providers, and whatever is no read.
    case byMethod
    /// Reads of operators and providers, whatever the method.
    case reads
    /// It tells of nobody's usage and changes nothing, or is written down elsewhere.
    case never
  }

  let method: HTTPRequest.Method
  let path: PathPattern
  let access: Access
  let description: RouteDescription
  private(set) var audit = Audit.byMethod
  let handler: @Sendable (GatewayRequest) async throws -> Reply

  init(
    _ method: HTTPRequest.Method, _ path: PathPattern, _ access: Access,
    _ description: RouteDescription = .none,
    _ handler: @escaping @Sendable (GatewayRequest) async throws -> Reply
  ) {
    self.method = method
    self.path = path
    self.access = access
    self.description = description
    self.handler = handler
  }

  /// Is never written down.
  var unaudited: Route { audited(.never) }

  func audited(_ audit: Audit) -> Route {
    var route = self
    route.audit = audit
    return route
  }
}

/// A literal path in which `{id}`, and any other name in braces, stands for any one segment.
///
/// Azure's paths match without regard to ASCII case, as Azure's do; what stands for `{id}` keeps its case.
struct PathPattern: ExpressibleByStringInterpolation, Sendable {
  let text: String
  private let segments: [Substring]
  private let ignoresCase: Bool

  init(stringLiteral text: String) { self.init(text) }

  init(_ text: String) {
    self.text = text
    ignoresCase = Surface(path: text) == .azure
    segments = PathPattern.segments(text)
  }

  /// What stands in braces.
  var names: [String] {
    segments.filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
  }

  /// The decoded value of `{id}`, or nothing for a pattern without one; nil where the path does not match.
  func match(_ path: String) -> String? {
    let parts = PathPattern.segments(path)
    guard parts.count == segments.count else { return nil }
    var value = ""
    for (part, segment) in zip(parts, segments) {
      guard let part = percentDecoded(part, plusIsSpace: false) else { return nil }
      if segment == "{id}" {
        value = part
      } else if segment.hasPrefix("{") {
        continue
      } else if ignoresCase {
        guard part.asciiLowercased == String(segment).asciiLowercased else { return nil }
      } else {
        guard part == segment else { return nil }
      }
    }
    return value
  }

  /// One slash at the end makes no difference; an empty segment does.
  private static func segments(_ path: String) -> [Substring] {
    var segments = path.split(separator: "/", omittingEmptySubsequences: false)
    if segments.count > 2, segments.last == "" { segments.removeLast() }
    return segments
  }
}

/// The routes of a gateway, looked through in order.
struct RouteTable: Sendable {
  let routes: [Route]

  init(routes: [Route]) {
    self.routes = routes
  }

  /// These routes and `/openapi.json`, which describes them and itself.
  init(describing routes: [Route]) {
    func own(_ bytes: [UInt8]) -> Route {
      Route(.get, "/openapi.json", .anyone, .openAPI) { request in
        try request.refuseParameters()
        return Reply(.ok, bytes, type: "application/json")
      }
    }
    self.routes = routes + [own(OpenAPIDocument(routes + [own([])]).bytes)]
  }

  enum Match {
    case route(Route, pathValue: String)
    /// The path is there, with these methods only.
    case otherMethods([HTTPRequest.Method])
    case none

    /// For metrics: as the table has it, never as a request does.
    var name: String {
      if case .route(let route, _) = self {
        "\(route.method.rawValue) \(route.path.text)"
      } else {
        "none"
      }
    }
  }

  /// HEAD is answered wherever GET is.
  func match(_ method: HTTPRequest.Method, _ path: String) -> Match {
    let wanted = method == .head ? .get : method
    var methods: [HTTPRequest.Method] = []
    for route in routes {
      guard let value = route.path.match(path) else { continue }
      if route.method == wanted { return .route(route, pathValue: value) }
      methods += route.method == .get ? [.get, .head] : [route.method]
    }
    return methods.isEmpty ? .none : .otherMethods(methods)
  }
}
