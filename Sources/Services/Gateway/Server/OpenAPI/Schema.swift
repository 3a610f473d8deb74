internal import StackmeterCore

/// The form of a JSON value, written as JSON Schema 2020-12.
indirect enum Schema: Sendable {
  case text
  /// One of these texts.
  case choice([String])
  /// A text that is an RFC 3339 time.
  case time
  /// A text that is a date.
  case day
  /// A text that is an exact decimal: a JSON number is a float in most clients.
  case quantity
  /// A JSON number that is an exact decimal.
  case number
  /// A text that is a whole number, for those that JSON has no room for.
  case digits
  /// A text that is base64.
  case base64
  /// A whole number of 64 bits.
  case integer(ClosedRange<Int>? = nil)
  case flag
  case list(Schema, max: Int? = nil)
  /// An object of any members with such values.
  case map(Schema)
  /// An object of these members and no others.
  case object(KeyValuePairs<String, Schema>, optional: KeyValuePairs<String, Schema> = [:])
  /// As `object`, but any other members may stand beside these.
  case openObject(KeyValuePairs<String, Schema>, optional: KeyValuePairs<String, Schema> = [:])
  /// An object of none, some or all of these members and no others.
  case members([(String, Schema)])
  case either([Schema])
  case null
  /// One of the document's components by its name.
  case component(String)
  case anything
}

extension JSONWriter {
  mutating func member(_ name: String, schema: Schema) {
    member(name, object: { writer in writer.members(of: schema) })
  }

  private mutating func members(of schema: Schema) {
    switch schema {
    case .text: type("string")
    case .choice(let choices):
      type("string")
      member("enum", array: { writer in for choice in choices { writer.string(choice) } })
    case .time:
      type("string")
      member("format", string: "date-time")
    case .day:
      type("string")
      member("format", string: "date")
    case .quantity:
      type("string")
      member("format", string: "decimal")
      member("pattern", string: "^-?[0-9]+(\\.[0-9]{1,\(Quantity.fractionDigits)})?$")
    case .number: type("number")
    case .digits:
      type("string")
      member("pattern", string: "^-?[0-9]+$")
    case .base64:
      type("string")
      member("contentEncoding", string: "base64")
    case .null: type("null")
    case .integer(let range):
      type("integer")
      member("format", string: "int64")
      if let range {
        member("minimum", range.lowerBound)
        member("maximum", range.upperBound)
      }
    case .flag: type("boolean")
    case .list(let element, let max):
      type("array")
      member("items", schema: element)
      if let max { member("maxItems", max) }
    case .map(let value):
      type("object")
      member("additionalProperties", schema: value)
    case .object(let members, let optional):
      self.members(ofObject: members, optional)
      member("additionalProperties", false)
    case .openObject(let members, let optional):
      self.members(ofObject: members, optional)
    case .members(let members):
      type("object")
      member(
        "properties",
        object: { writer in
          for (name, schema) in members { writer.member(name, schema: schema) }
        })
      member("additionalProperties", false)
    case .either(let schemas):
      member(
        "anyOf",
        array: { writer in
          for schema in schemas { writer.object { writer in writer.members(of: schema) } }
        })
    case .component(let name): member("$ref", string: "#/components/schemas/\(name)")
    case .anything: break
    }
  }

  private mutating func members(
    ofObject members: KeyValuePairs<String, Schema>, _ optional: KeyValuePairs<String, Schema>
  ) {
    type("object")
    member(
      "properties",
      object: { writer in
        for (name, schema) in members { writer.member(name, schema: schema) }
        for (name, schema) in optional { writer.member(name, schema: schema) }
      })
    guard !members.isEmpty else { return }
    member("required", array: { writer in for (name, _) in members { writer.string(name) } })
  }

  private mutating func type(_ name: String) { member("type", string: name) }
}
