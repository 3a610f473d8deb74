internal import StackmeterCore

/// Why bytes are no document of a statement.
package struct StatementDocumentError: Error, Equatable, CustomStringConvertible {
  package let problem: String

  package var description: String { "the document of a statement cannot be read: \(problem)" }
}

extension Statement {
  /// Reads what `JSONWriter.statement` has written: the same statement, which is written as the same bytes again.
  ///
  /// Documents that were closed before names, units and packages were written into them say their prices for one
  /// unit, and meters by their ids.
  package init(parsing document: [UInt8]) throws(StatementDocumentError) {
    let value: JSONValue
    do throws(JSONError) { value = try JSONValue(parsing: document, limits: .batch) } catch {
      throw StatementDocumentError(problem: error.description)
    }
    let reader = try StatementMember(value, path: "")
    let currency = try reader.read("currency") { Currency(code: $0) }
    var lines: [StatementLine] = []
    for line in try reader.objects("lines") { lines.append(try line.line(currency)) }
    var unrated: [Unrated] = []
    for entry in try reader.objects("unrated") {
      unrated.append(
        Unrated(
          meter: try entry.text("meterId"), period: try entry.period("period"),
          quantity: try entry.quantity("quantity")))
    }
    var cards: [String] = []
    for card in try reader.array("rateCards") {
      guard let card = card.string else { throw reader.wrong("rateCards") }
      cards.append(card)
    }
    self.init(
      written: reader.optional("number"),
      subscription: Subscription(
        id: try reader.text("subscriptionId"), displayName: try reader.text("displayName"),
        owner: try reader.text("owner"), costCenter: try reader.text("costCenter"),
        tags: reader.raw("tags"),
        state: reader.optional("subscriptionState").flatMap { .init(rawValue: $0) } ?? .active),
      period: try reader.period("period"), currency: currency,
      rounding: try reader.read("rounding") { Rounding(rawValue: $0) }, cards: cards,
      taxNote: try reader.text("taxNote"), lines: lines, unrated: unrated,
      isProvisional: try reader.flag("provisional"))
    guard try reader.text("total") == total?.amountText ?? "" else { throw reader.wrong("total") }
  }
}

/// An object of a document, whose members are read by name.
private struct StatementMember {
  private let members: [String: JSONValue]
  private let path: String

  init(_ value: JSONValue, path: String) throws(StatementDocumentError) {
    guard case .object(let members) = value else {
      throw StatementDocumentError(problem: "\(path.isEmpty ? "it" : path) is no object")
    }
    self.path = path
    self.members = Dictionary(
      members.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  func wrong(_ name: String) -> StatementDocumentError {
    StatementDocumentError(problem: "\(path)\(name) is missing or is not what it must be")
  }

  func optional(_ name: String) -> String? { members[name]?.string }

  func text(_ name: String) throws(StatementDocumentError) -> String {
    guard let text = optional(name) else { throw wrong(name) }
    return text
  }

  func read<Value>(
    _ name: String, _ parse: (String) -> Value?
  ) throws(StatementDocumentError) -> Value {
    guard let value = parse(try text(name)) else { throw wrong(name) }
    return value
  }

  func flag(_ name: String) throws(StatementDocumentError) -> Bool {
    guard case .bool(let flag)? = members[name] else { throw wrong(name) }
    return flag
  }

  func integer(_ name: String) throws(StatementDocumentError) -> Int {
    guard case .number(let token)? = members[name], let number = Int(token) else {
      throw wrong(name)
    }
    return number
  }

  /// A value as JSON; empty where it is absent.
  func raw(_ name: String) -> String {
    guard let value = members[name] else { return "" }
    var writer = JSONWriter()
    writer.value(value)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  func array(_ name: String) throws(StatementDocumentError) -> [JSONValue] {
    guard let elements = members[name]?.array else { throw wrong(name) }
    return elements
  }

  func objects(_ name: String) throws(StatementDocumentError) -> [StatementMember] {
    var objects: [StatementMember] = []
    for (index, value) in try array(name).enumerated() {
      objects.append(try StatementMember(value, path: "\(path)\(name)[\(index)]."))
    }
    return objects
  }

  func period(_ name: String) throws(StatementDocumentError) -> BillingPeriod {
    try read(name) { BillingPeriod(parsing: $0) }
  }

  func quantity(_ name: String) throws(StatementDocumentError) -> Quantity {
    try read(name) { try? Quantity(parsing: $0) }
  }

  /// A price with all the digits that a discount or a package may give it.
  func price(_ name: String) throws(StatementDocumentError) -> Price {
    try read(name) { text in
      (try? PlainDecimal.parse(text, fractionDigits: Price.fractionDigits)).flatMap {
        Price(attos: $0)
      }
    }
  }

  func line(_ currency: Currency) throws(StatementDocumentError) -> StatementLine {
    let kind = try read("kind") { StatementLine.Kind(rawValue: $0) }
    let isPriced = members["rateCard"] != nil
    return StatementLine(
      kind: kind, period: try period("period"),
      day: members["usageDay"] == nil ? nil : try read("usageDay") { Day(parsing: $0) },
      meter: isPriced ? try text("meterId") : "", rate: isPriced ? try rate() : nil,
      tier: isPriced ? try integer("tier") : 0,
      quantity: isPriced ? try quantity("quantity") : .zero,
      pricedQuantity: isPriced ? try quantity("pricedQuantity") : .zero,
      listPrice: isPriced ? try price("listPrice") : .zero,
      price: isPriced ? try price("price") : .zero,
      description: isPriced ? "" : try reason(kind),
      cost: try read("exactCost") { Cost(parsing: $0) },
      amount: try read("amount") { try? Money(parsing: $0, currency) })
  }

  /// What stands behind the kind of a line in its title.
  private func reason(_ kind: StatementLine.Kind) throws(StatementDocumentError) -> String {
    let title = try text("description")
    let head = "\(kind.rawValue): "
    let isNamed = [.credit, .manual, .shared].contains(kind)
    guard isNamed else { return title }
    guard title.utf8.starts(with: head.utf8) else { throw wrong("description") }
    return String(decoding: title.utf8.dropFirst(head.utf8.count), as: UTF8.self)
  }

  private func rate() throws(StatementDocumentError) -> RateReference {
    let discount = optional("discount") ?? "0%"
    guard discount.hasSuffix("%"), let percent = try? Percent(parsing: discount.dropLast()) else {
      throw wrong("discount")
    }
    return RateReference(
      card: try text("rateCard"), version: try integer("version"), meter: try text("meterId"),
      meterName: optional("meterName") ?? "", unit: optional("unit") ?? "",
      billingMeter: try text("billingMeterId"), group: optional("rateGroup"),
      location: optional("rateLocation"),
      package: members["package"] == nil ? Quantity(1) : try quantity("package"),
      countsStarted: members["startedPackages"] == .bool(true),
      form: members["form"] == nil ? .flat : try read("form") { Pricing.Form(rawValue: $0) },
      discount: percent)
  }
}
