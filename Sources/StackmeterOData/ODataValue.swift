package import StackmeterCore

/// The value of a property of one entity, or a literal of a filter.
package enum ODataValue: Hashable, Sendable {
  case null
  case string(String)
  case decimal(Quantity)
  case time(Instant)
  case boolean(Bool)

  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case string = "Edm.String"
    case decimal = "Edm.Decimal"
    case time = "Edm.DateTimeOffset"
    case boolean = "Edm.Boolean"
  }

  /// Nil of null, which is of any kind.
  var kind: Kind? {
    switch self {
    case .null: nil
    case .string: .string
    case .decimal: .decimal
    case .time: .time
    case .boolean: .boolean
    }
  }

  /// Whether this one comes first; nil where the two have no order.
  func isLess(than other: ODataValue) -> Bool? {
    switch (self, other) {
    case (.string(let left), .string(let right)):
      left.utf8.lexicographicallyPrecedes(right.utf8)
    case (.decimal(let left), .decimal(let right)): left < right
    case (.time(let left), .time(let right)): left < right
    case (.boolean(let left), .boolean(let right)): !left && right
    default: nil
    }
  }
}

extension JSONWriter {
  /// A member as OData's JSON has it. Decimals are numbers with all their digits; texts where the client asked for
  /// that, because it reads numbers as floats.
  package mutating func member(
    _ name: String, _ value: ODataValue, decimalsAreTexts: Bool
  ) {
    switch value {
    case .null: member(name, raw: "null")
    case .string(let text): member(name, string: text)
    case .decimal(let quantity) where decimalsAreTexts:
      member(name, string: quantity.description)
    case .decimal(let quantity): member(name, raw: quantity.description)
    case .time(let instant): member(name, string: instant.description)
    case .boolean(let flag): member(name, flag)
    }
  }
}
