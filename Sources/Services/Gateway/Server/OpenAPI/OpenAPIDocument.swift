internal import HTTPTypes
internal import StackmeterCore

/// The OpenAPI 3.1 document of a table of routes. Made from the routes themselves.
struct OpenAPIDocument {
  let bytes: [UInt8]

  init(_ routes: [Route]) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("openapi", string: "3.1.0")
      writer.member(
        "info",
        object: { writer in
          writer.member("title", string: "Stackmeter")
          writer.member("version", string: "1")
          writer.member("description", string: OpenAPIDocument.introduction)
        })
      writer.member("paths", object: { writer in writer.paths(routes) })
      writer.member("components", object: { writer in writer.components() })
    }
    bytes = writer.bytes
  }

  private static let introduction =
    "Usage metering for private clouds. A request's target and header fields have at most "
    + "\(GatewayLimits.headBytesMax) bytes, in at most \(GatewayLimits.headerFieldsMax) fields. "
    + "Quantities are exact decimals in strings."
}

extension JSONWriter {
  fileprivate mutating func paths(_ routes: [Route]) {
    var paths: [String] = []
    for route in routes where !paths.contains(route.path.text) { paths.append(route.path.text) }
    for path in paths {
      member(
        path,
        object: { writer in
          for route in routes where route.path.text == path {
            writer.member(
              route.method.rawValue.asciiLowercased,
              object: { writer in writer.operation(route) })
          }
        })
    }
  }

  private mutating func operation(_ route: Route) {
    let description = route.description
    member("operationId", string: description.name)
    member("summary", string: description.summary)
    switch route.access {
    case .anyone: member("security", array: { _ in })
    case .caller, .provider, .reporter, .operatorOnly:
      member(
        "security",
        array: { writer in writer.object { $0.member("apiKey", array: { _ in }) } })
      if let callers = route.access.callers { member("description", string: callers) }
    }
    member(
      "parameters",
      array: { writer in
        for name in route.path.names {
          writer.parameter(
            Parameter(
              name, .text, name == "id" ? description.pathValue : "Any.", isNeeded: true),
            in: "path")
        }
        for parameter in description.parameters { writer.parameter(parameter, in: "query") }
        for header in description.headers { writer.parameter(header, in: "header") }
      })
    if let body = description.body { requestBody(body) }
    member("responses", object: { writer in writer.responses(route) })
  }

  private mutating func parameter(_ parameter: Parameter, in place: String) {
    object { writer in
      writer.member("name", string: parameter.name)
      writer.member("in", string: place)
      writer.member("description", string: parameter.fullSummary)
      writer.member("required", parameter.isNeeded)
      if case .choices = parameter.form {
        writer.member("style", string: "form")
        writer.member("explode", false)
      } else if parameter.isRepeatable {
        writer.member("style", string: "form")
        writer.member("explode", true)
      }
      writer.member("schema", schema: parameter.schema)
    }
  }

  private mutating func requestBody(_ body: RouteDescription.Body) {
    member(
      "requestBody",
      object: { writer in
        writer.member(
          "description", string: "\(body.summary) At most \(body.bytesMax) bytes.")
        writer.member("required", body.isNeeded)
        writer.contents(body.contents)
      })
  }

  private mutating func contents(_ contents: [RouteDescription.Content]) {
    guard !contents.isEmpty else { return }
    member(
      "content",
      object: { writer in
        for content in contents {
          writer.member(
            content.type, object: { writer in writer.member("schema", schema: content.schema) })
        }
      })
  }

  private mutating func responses(_ route: Route) {
    for answer in route.description.answers {
      member(
        "\(answer.status.code)",
        object: { writer in
          writer.member("description", string: answer.summary)
          writer.contents(answer.contents)
        })
    }
    for status in route.problems {
      member(
        "\(status.code)",
        object: { writer in writer.member("$ref", string: route.surface.problemReference) })
    }
  }

  fileprivate mutating func components() {
    member(
      "securitySchemes",
      object: { writer in
        writer.member(
          "apiKey",
          object: { writer in
            writer.member("type", string: "http")
            writer.member("scheme", string: "bearer")
          })
      })
    member(
      "schemas",
      object: { writer in
        for (name, schema) in Schema.components { writer.member(name, schema: schema) }
        for (name, schema) in Schema.messages { writer.member(name, schema: schema) }
      })
    member(
      "responses",
      object: { writer in
        for surface in [Surface.native, .azure, .connect, .odata] {
          writer.member(
            surface.problemName,
            object: { writer in
              writer.member("description", string: "An error, in words and as a stable code.")
              writer.contents([
                .init(type: surface.problemType, schema: .component(surface.problemName))
              ])
            })
        }
      })
  }
}

extension Route.Access {
  /// Who may use a route, for people; nil where it is open to anyone, or to whoever may see something.
  fileprivate var callers: String? {
    switch self {
    case .anyone, .caller: nil
    case .provider: "For operators and delegated providers."
    case .reporter: "For operators and reporters."
    case .operatorOnly: "For operators."
    }
  }
}

extension Route {
  fileprivate var surface: Surface { Surface(path: path.text) }

  /// The errors that a client must reckon with, by status.
  fileprivate var problems: [HTTPResponse.Status] {
    var problems: Set<HTTPResponse.Status> = [
      .badRequest, .internalServerError, .serviceUnavailable,
    ]
    switch access {
    case .anyone: break
    case .caller, .provider, .reporter, .operatorOnly:
      problems.formUnion([.unauthorized, .forbidden, .tooManyRequests])
    }
    if path.text.contains("{id}") || access == .caller || access == .provider {
      problems.insert(.notFound)
    }
    if description.body != nil {
      problems.formUnion([.requestTimeout, .contentTooLarge, .unsupportedMediaType])
    }
    problems.formUnion(description.problems)
    problems.subtract(description.answers.map(\.status))
    return problems.sorted { $0.code < $1.code }
  }
}

extension Surface {
  fileprivate var problemName: String {
    switch self {
    case .azure: "AzureError"
    case .connect: "ConnectError"
    case .odata: "ODataError"
    case .native: "Problem"
    }
  }
  fileprivate var problemReference: String { "#/components/responses/\(problemName)" }
  fileprivate var problemType: String {
    self == .native ? "application/problem+json" : "application/json"
  }
}

extension Parameter {
  fileprivate var fullSummary: String {
    isRepeatable && countMax < .max ? "\(summary) At most \(countMax) times." : summary
  }

  fileprivate var schema: Schema {
    let value: Schema =
      switch form {
      case .text: .text
      case .choice(let choices): .choice(choices)
      case .choices(let choices): .list(.choice(choices))
      // A date is taken, too.
      case .hour, .time: .either([.time, .day])
      case .integer(let range): .integer(range)
      case .number: .integer(0...Int.max)
      case .flag: .flag
      }
    return isRepeatable ? .list(value, max: countMax) : value
  }
}

extension Schema {
  /// What several routes share, by name.
  static let components: KeyValuePairs<String, Schema> = [
    "Problem": .openObject(
      [
        "type": .text, "title": .text, "status": .integer(400...599), "detail": .text,
        "code": .text,
      ],
      optional: ["errors": .list(.object(["field": .text, "message": .text]))]),
    "AzureError": .object([
      "error": .object(["code": .text, "message": .text]), "code": .text, "message": .text,
    ]),
    "ConnectError": .openObject([
      "code": .choice(ConnectCode.allCases.map(\.rawValue)), "message": .text,
    ]),
    "ODataError": .object(["error": .object(["code": .text, "message": .text])]),
    "MissingSources": .object(["count": .integer()], optional: ["names": .list(.text)]),
    "UsageEvent": .usageEvent,
  ]
}
