package import StackmeterCore

/// What one reporting window has of one series and usage hour, as a commerce service is told.
package struct CommerceRecord: Hashable, Sendable {
  package var id: String
  package var revision: UInt32
  /// The local subscription.
  package var subscription: String
  /// The commerce service's name of who pays: the subscription's own mapping, or the default; empty for none.
  package var customer: String
  /// The commerce service's meter, and the local one.
  package var meter: String
  package var localMeter: String
  package var resource: Resource
  package var usageStart: Instant
  package var usageEnd: Instant
  package var window: Hour
  package var cell: String
  package var quantity: Quantity
  /// Zero where usage is reported and not charged; nil for the commerce service's own price.
  package var unitPrice: Quantity?

  package init(
    id: String, revision: UInt32 = 0, subscription: String, customer: String = "", meter: String,
    localMeter: String, resource: Resource, usageStart: Instant, usageEnd: Instant, window: Hour,
    cell: String, quantity: Quantity, unitPrice: Quantity? = nil
  ) {
    self.id = id
    self.revision = revision
    self.subscription = subscription
    self.customer = customer
    self.meter = meter
    self.localMeter = localMeter
    self.resource = resource
    self.usageStart = usageStart
    self.usageEnd = usageEnd
    self.window = window
    self.cell = cell
    self.quantity = quantity
    self.unitPrice = unitPrice
  }
}

extension CommerceRecord {
  /// Reads one record. Unknown members are passed over: a newer site may say more.
  package init(json value: JSONValue, path: String) throws(CommerceError) {
    guard let object = JSONObject(value, path: path) else {
      throw CommerceError("\(path): must be an object")
    }
    func text(_ name: String, orEmpty mayBeAbsent: Bool = false) throws(CommerceError) -> String {
      guard let value = object[name] else {
        if mayBeAbsent { return "" }
        throw CommerceError("\(path).\(name): is missing")
      }
      guard let text = value.string, mayBeAbsent || !text.isEmpty else {
        throw CommerceError("\(path).\(name): must be a text")
      }
      return text
    }
    func time(_ name: String) throws(CommerceError) -> Instant {
      guard let time = Instant(parsing: try text(name)) else {
        throw CommerceError("\(path).\(name): must be a time with an offset, as in RFC 3339")
      }
      return time
    }
    func decimal(_ name: String) throws(CommerceError) -> Quantity {
      let digits = try text(name)
      do throws(QuantityError) {
        return try Quantity(parsing: digits)
      } catch {
        throw CommerceError("\(path).\(name): \(error.explanation)")
      }
    }
    id = try text("id")
    subscription = try text("subscription")
    customer = try text("customer", orEmpty: true)
    meter = try text("meter")
    localMeter = try text("localMeter", orEmpty: true)
    var tags: [(name: String, value: String)] = []
    if let value = object["tags"] {
      guard case .object(let members) = value else {
        throw CommerceError("\(path).tags: must be an object of texts")
      }
      for member in members {
        guard let text = member.value.string else {
          throw CommerceError("\(path).tags: must be an object of texts")
        }
        tags.append((member.name, text))
      }
    }
    resource = Resource(
      uri: try text("resourceUri"), location: try text("location", orEmpty: true),
      tags: Resource.canonicalTags(tags),
      additionalInfo: try text("additionalInfo", orEmpty: true))
    usageStart = try time("usageStart")
    usageEnd = try time("usageEnd")
    window = try time("window").hour
    cell = try text("cell", orEmpty: true)
    quantity = try decimal("quantity")
    unitPrice = object["unitPrice"] == nil ? nil : try decimal("unitPrice")
    switch object["revision"] {
    case nil: revision = 0
    case .number(let digits)?:
      guard let number = UInt32(digits) else {
        throw CommerceError("\(path).revision: must be a whole number")
      }
      revision = number
    default: throw CommerceError("\(path).revision: must be a whole number")
    }
  }
}

/// Why a text is not what the commerce contract says.
package struct CommerceError: Error, Equatable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) {
    self.description = description
  }
}
