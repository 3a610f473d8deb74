/// A JSON text as a tree that keeps every number as its own digits.
///
/// Ours because a quantity must be read from the raw token, and because usage must not depend on which of
/// two equal names a parser prefers: duplicate names, trailing bytes, invalid UTF-8, lone surrogates, NUL
/// and anything past the limits are errors.
package enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  /// The token, as written.
  case number(String)
  case string(String)
  case array([JSONValue])
  /// In the order of the text.
  case object([Member])

  package struct Member: Hashable, Sendable {
    package let name: String
    package let value: JSONValue

    package init(name: String, value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  package var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var array: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }
}

/// An object with the path that problems are reported under.
package struct JSONObject {
  package let path: String
  package let members: [JSONValue.Member]

  package init?(_ value: JSONValue, path: String) {
    guard case .object(let members) = value else { return nil }
    self.path = path
    self.members = members
  }

  package subscript(name: String) -> JSONValue? {
    members.first { $0.name.hasSameBytes(as: name) }?.value
  }

  /// A problem for each member that is not known.
  package func unknownMembers(known: Set<String>) -> [String] {
    members.filter { !known.contains($0.name) }.map { member in
      let at = path.isEmpty ? member.name : "\(path).\(member.name)"
      return "\(at): unknown member; known are \(known.sorted().joined(separator: ", "))"
    }
  }
}

/// How much of a JSON text is taken.
package struct JSONLimits: Sendable {
  package var depthMax: Int
  package var valuesMax: Int
  package var stringBytesMax: Int

  package init(depthMax: Int, valuesMax: Int, stringBytesMax: Int) {
    self.depthMax = depthMax
    self.valuesMax = valuesMax
    self.stringBytesMax = stringBytesMax
  }

  /// One event.
  package static let event = JSONLimits(depthMax: 32, valuesMax: 1000, stringBytesMax: 65_536)
  /// A batch of events.
  package static let batch = JSONLimits(
    depthMax: 32, valuesMax: 1_000_000, stringBytesMax: 65_536)
  /// A message of a service.
  package static let message = JSONLimits(
    depthMax: 32, valuesMax: 300_000, stringBytesMax: 65_536)
  /// A file of the operator's.
  package static let configuration = JSONLimits(
    depthMax: 32, valuesMax: 1_000_000, stringBytesMax: 65_536)
}

/// Where and why a text is not JSON.
package struct JSONError: Error, Equatable, CustomStringConvertible {
  /// Bytes from the start of the text.
  package let offset: Int
  package let problem: String

  package var description: String { "not valid JSON at byte \(offset): \(problem)" }
}
