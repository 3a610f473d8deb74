internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterWire

extension RouteDescription {
  /// Of a method, from the descriptions of its messages.
  static func method(_ exposed: ExposedMethod) -> RouteDescription {
    let method = exposed.method
    return RouteDescription(
      name: String(method.path.split(separator: ".").last!.replacing("/", with: ".")),
      summary: exposed.summary,
      headers: [
        Parameter("Connect-Protocol-Version", .choice(["1"]), "1, or nothing."),
        Parameter("Connect-Timeout-Ms", .integer(0...9_999_999_999), "How long the client waits."),
      ],
      body: Body(
        summary: "\(method.request.name) as JSON by protobuf's rules.",
        contents: [
          .json(.component(method.request.name)),
          Content(type: "application/proto", schema: .anything),
        ],
        bytesMax: GatewayLimits.rpcBodyBytesMax),
      answers: [
        Answer(
          .ok, "\(method.response.name), as the request is written.",
          .json(.component(method.response.name)),
          Content(type: "application/proto", schema: .anything))
      ],
      problems: [.notFound, .conflict, .notImplemented, .gatewayTimeout])
  }
}

extension Schema {
  /// Every message that exposed methods take and give, by its name.
  static var messages: [(String, Schema)] {
    var schemas: [(String, Schema)] = []
    func add(_ kind: MessageField.Kind) {
      switch kind {
      case .message(let type): add(type)
      case .map(let value): add(value)
      default: break
      }
    }
    func add(_ type: MessageType) {
      guard !schemas.contains(where: { $0.0 == type.name }) else { return }
      schemas.append((type.name, Schema(type)))
      for field in type.fields { add(field.kind) }
    }
    for exposed in ExposedMethod.all {
      add(exposed.method.request)
      add(exposed.method.response)
    }
    return schemas
  }

  private init(_ type: MessageType) {
    self = .members(
      type.fields.map { field in
        // Who asks is whom the gateway knows, whatever is written.
        if case .message(let part) = field.kind, part.name == "stackmeter.v1.Caller" {
          return (field.name, .anything)
        }
        let value = Schema(field.kind)
        return (field.name, .either([field.isRepeated ? .list(value) : value, .null]))
      })
  }

  private init(_ kind: MessageField.Kind) {
    switch kind {
    case .text: self = .text
    case .bytes: self = .base64
    case .flag: self = .flag
    case .integer(let range):
      self = .either([.integer(Int(range.lowerBound)...Int(range.upperBound)), .digits])
    case .long: self = .either([.digits, .integer()])
    case .choice(let names):
      self = .either([.choice(names), .integer(Int(Int32.min)...Int(Int32.max))])
    case .message(let type): self = .component(type.name)
    case .map(let value): self = .map(Schema(value))
    }
  }
}
