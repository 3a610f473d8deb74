package import StackmeterCore

/// Statements that belong together, and what they come to. Totals are sums of totals: nothing is rounded again.
package struct StatementGroup: Hashable, Sendable {
  /// What they have in common; nil for those that have nothing: shown, not hidden.
  package let name: String?
  package let statements: [Statement]
  package let total: Money
}

/// By what statements are put together.
package enum StatementGrouping: Hashable, Sendable {
  case subscription
  case costCenter
  case owner
  /// A tag of the subscription.
  case tag(String)

  /// Nil where the subscription has none.
  package func name(of subscription: Subscription) -> String? {
    let name: String
    switch self {
    case .subscription: name = subscription.id
    case .costCenter: name = subscription.costCenter
    case .owner: name = subscription.owner
    case .tag(let tag):
      let members = Resource(uri: "", tags: subscription.tags).tagMembers
      name = members.first { $0.name.hasSameBytes(as: tag) }?.value ?? ""
    }
    return name.isEmpty ? nil : name
  }

  /// The groups in the order of their names, that without a name last; statements in the order of subscriptions.
  package func groups(_ statements: [Statement]) throws(StatementError) -> [StatementGroup] {
    var members: [ExactText?: [Statement]] = [:]
    for statement in statements {
      members[name(of: statement.subscription).map(ExactText.init), default: []].append(statement)
    }
    let names = members.keys.sorted { one, two in
      guard let one else { return false }
      guard let two else { return true }
      return one.text.byteOrder(two.text) < 0
    }
    var groups: [StatementGroup] = []
    for name in names {
      let statements = (members[name] ?? []).sorted {
        let order = $0.subscription.id.byteOrder($1.subscription.id)
        return order == 0 ? $0.period < $1.period : order < 0
      }
      var total = Money.zero(statements[0].currency)
      for statement in statements {
        do throws(MoneyError) {
          guard let more = statement.total else { throw .tooLarge }
          total = try total.adding(more)
        } catch {
          if case .twoCurrencies(let one, let two) = error { throw .twoCurrencies(one, two) }
          throw .tooLarge
        }
      }
      groups.append(StatementGroup(name: name?.text, statements: statements, total: total))
    }
    return groups
  }
}

/// The cost of charges by something that their usage says: a tag, a resource group, a location, a meter, a day. What
/// says nothing is a part of its own.
package struct CostBreakdown: Sendable {
  package enum Key: Hashable, Sendable {
    /// A tag of the resource.
    case tag(String)
    case resourceGroup
    case resource
    case location
    case meter
    case day
  }

  package let key: Key
  private var costs: [ExactText?: Cost] = [:]

  package init(by key: Key) {
    self.key = key
  }

  package mutating func add(_ charge: Charge) throws(StatementError) {
    let name = name(of: charge).map(ExactText.init)
    guard let sum = (costs[name] ?? .zero).adding(charge.cost) else { throw .tooLarge }
    costs[name] = sum
  }

  /// The parts in the order of their names, that without a name last, with their exact costs.
  package var parts: [(name: String?, cost: Cost)] {
    costs.sorted { one, two in
      guard let one = one.key else { return false }
      guard let two = two.key else { return true }
      return one.text.byteOrder(two.text) < 0
    }.map { (name: $0.key?.text, cost: $0.value) }
  }

  /// The parts as amounts that sum to `total`, which is what the lines of the charges come to.
  package func amounts(total: Money) throws(MoneyError) -> [(name: String?, amount: Money)] {
    let parts = parts
    let amounts = try total.apportioned(over: parts.map(\.cost))
    return zip(parts, amounts).map { (name: $0.name, amount: $1) }
  }

  private func name(of charge: Charge) -> String? {
    let name: String
    switch key {
    case .meter: name = charge.rate?.meter ?? charge.meter
    case .day: name = charge.day?.description ?? ""
    case .location: name = charge.usage?.series.resource.location ?? ""
    case .resource: name = charge.usage?.series.resource.uri ?? ""
    case .resourceGroup: name = charge.usage?.series.resource.group ?? ""
    case .tag(let tag):
      let members = charge.usage?.series.resource.tagMembers ?? []
      name = members.first { $0.name.hasSameBytes(as: tag) }?.value ?? ""
    }
    return name.isEmpty ? nil : name
  }
}

extension Resource {
  /// The name behind `/resourceGroups/` in its URI, in lower case; nil without one.
  fileprivate var group: String? {
    let parts = uri.split(separator: "/")
    let index = parts.firstIndex { String($0).asciiLowercased == "resourcegroups" }
    guard let index, index + 1 < parts.count else { return nil }
    return String(parts[index + 1]).asciiLowercased
  }
}
