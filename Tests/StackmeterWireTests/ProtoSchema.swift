import Foundation

/// What the .proto files say, as far as the tests need it: messages, fields and calls.
struct ProtoSchema: Sendable {
  struct Field: Sendable, Hashable {
    let name: String
    let number: Int
    /// `string`, `uint64`, …, or the full name of a message or an enum.
    let type: String
    let isRepeated: Bool
  }

  private(set) var messages: [String: [Field]] = [:]
  private(set) var enums: Set<String> = []
  /// The full names of what calls take and give.
  private(set) var callMessages: Set<String> = []

  /// The files below proto.
  static let committed: ProtoSchema = {
    let root = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "proto")
    let paths = FileManager.default.subpaths(atPath: root.path) ?? []
    let files = paths.filter { $0.hasSuffix(".proto") }.sorted()
    precondition(!files.isEmpty, "there are .proto files below \(root.path)")
    return ProtoSchema(
      files.map { path in
        let data = FileManager.default.contents(atPath: root.appending(path: path).path)
        return String(decoding: data ?? Data(), as: UTF8.self)
      })
  }()

  init(_ files: [String]) {
    for file in files { parse(file) }
    resolveTypes()
  }

  private mutating func parse(_ file: String) {
    var package = ""
    // The messages, enums and services that the line lies in, outermost first.
    var scopes: [(kind: Substring, name: String)] = []
    for rawLine in file.split(separator: "\n") {
      let line = rawLine.firstRange(of: "//").map { rawLine[..<$0.lowerBound] } ?? rawLine
      let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }
      guard let first = words.first else {
        if line.contains("}") { scopes.removeLast() }
        continue
      }
      switch first {
      case "package":
        package = String(words[1])
      case "syntax", "import", "option":
        break
      case "message", "enum", "service":
        let prefix = scopes.last?.name ?? package
        let name = "\(prefix).\(words[1])"
        if first == "message" { messages[name] = [] }
        if first == "enum" { enums.insert(name) }
        if !line.contains("}") { scopes.append((first, name)) }
      case "oneof":
        // Its fields are those of the message.
        scopes.append(("message", scopes.last?.name ?? package))
      case "rpc":
        for type in words.dropFirst(2) where type != "returns" && type != "stream" {
          callMessages.insert("\(package).\(type)")
        }
      default:
        if let scope = scopes.last, scope.kind == "message" { field(words, scope.name) }
      }
    }
    precondition(scopes.isEmpty, "braces are balanced")
  }

  private mutating func field(_ words: [Substring], _ message: String) {
    var words = words[...]
    let isMap = words.first == "map"
    let isRepeated = words.first == "repeated" || isMap
    if isRepeated { words.removeFirst() }
    var type = String(words.removeFirst())
    if isMap {
      // A map is a repeated message of a key and a value.
      let entry = "\(message).\(words[words.startIndex + 1])Entry"
      messages[entry] = [
        Field(name: "key", number: 1, type: type, isRepeated: false),
        Field(name: "value", number: 2, type: String(words.removeFirst()), isRepeated: false),
      ]
      type = entry
    }
    let name = String(words.removeFirst())
    guard let number = words.popFirst().flatMap({ Int($0) }) else {
      preconditionFailure("\(message).\(name) has a number")
    }
    messages[message]?.append(
      Field(name: name, number: number, type: type, isRepeated: isRepeated))
  }

  private mutating func resolveTypes() {
    for (message, fields) in messages {
      messages[message] = fields.map { field in
        Field(
          name: field.name, number: field.number, type: resolved(field.type, in: message),
          isRepeated: field.isRepeated)
      }
    }
  }

  /// The full name of a type that is named in the scope of a message.
  private func resolved(_ type: String, in message: String) -> String {
    var scope = message[...]
    while true {
      let name = "\(scope).\(type)"
      if messages[name] != nil || enums.contains(name) { return name }
      guard let dot = scope.lastIndex(of: ".") else { return type }
      scope = scope[..<dot]
    }
  }

  /// Every way from a message to a field, through sub-messages, each ending in the field.
  func paths(from message: String) -> [[Field]] {
    (messages[message] ?? []).flatMap { field in
      [[field]] + paths(from: field.type).map { [field] + $0 }
    }
  }

  /// The wire type that a single value of the field has.
  func wireType(of field: Field) -> Int {
    switch field.type {
    case "string", "bytes": 2
    case "fixed64", "sfixed64", "double": 1
    case "fixed32", "sfixed32", "float": 5
    default: messages[field.type] == nil ? 0 : 2
    }
  }
}

/// The sub-messages of a path, with what `body` writes into the innermost.
func nested(
  _ path: some Collection<ProtoSchema.Field>, _ body: (inout ProtoWriter) -> Void
) -> [UInt8] {
  guard let first = path.first else { return ProtoWriter.bytes(body) }
  return ProtoWriter.bytes { $0.content(first.number, nested(path.dropFirst(), body)) }
}
