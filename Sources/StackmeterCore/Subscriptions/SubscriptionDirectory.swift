/// The subscriptions that an operator has written down, each once, by id.
package struct SubscriptionDirectory: Hashable, Sendable {
  package let subscriptions: [Subscription]
  /// Which delegated providers have them as tenants, by subscription and time.
  package let tenancies: [Tenancy]

  package static let empty = SubscriptionDirectory(checked: [], [])

  private init(checked: [Subscription], _ tenancies: [Tenancy]) {
    subscriptions = checked.sorted { $0.id < $1.id }
    self.tenancies = tenancies.sorted {
      ($0.subscription, $0.hours.lowerBound) < ($1.subscription, $1.hours.lowerBound)
    }
  }
}

/// Every problem of a directory at once, each with the path of its field.
package struct SubscriptionDirectoryError: Error, Equatable, CustomStringConvertible {
  package let problems: [String]

  package init(problems: [String]) {
    self.problems = problems
  }

  package var description: String { problems.joined(separator: "; ") }
}

extension SubscriptionDirectory {
  /// Reads the directory's file, `{"subscriptions": [{"id": …, "displayName": …, "owner": …, "costCenter": …,
  /// "tags": {…}, "state": "active", "providers": [{"provider": …, "from": …, "until": …}, …]}, …]}`. All but the ids
  /// may be left out; unknown members are refused.
  package init(json bytes: [UInt8]) throws(SubscriptionDirectoryError) {
    let limits = JSONLimits(depthMax: 8, valuesMax: 6_000_000, stringBytesMax: 8192)
    let root: JSONValue
    do throws(JSONError) {
      root = try JSONValue(parsing: bytes, limits: limits)
    } catch {
      throw SubscriptionDirectoryError(problems: [error.description])
    }
    guard let file = JSONObject(root, path: "") else {
      throw SubscriptionDirectoryError(problems: ["must be an object with the member subscriptions"]
      )
    }
    var problems = file.unknownMembers(known: ["subscriptions"])
    var subscriptions: [Subscription] = []
    var tenancies: [Tenancy] = []
    let list = file["subscriptions"]?.array
    if list == nil { problems.append("subscriptions: must be an array of subscriptions") }
    if let list, list.count > SubscriptionLimits.subscriptionsMax {
      problems.append(
        "subscriptions: has \(list.count); at most \(SubscriptionLimits.subscriptionsMax) are taken"
      )
    } else {
      var places: [ExactText: Int] = [:]
      for (index, element) in (list ?? []).enumerated() {
        var reader = SubscriptionReader(path: "subscriptions[\(index)]")
        if let subscription = reader.subscription(element) {
          if let first = places[ExactText(subscription.id)] {
            reader.problems.append(
              "subscriptions[\(index)].id: is that of subscriptions[\(first)], whatever the case")
          }
          places[ExactText(subscription.id)] = index
          subscriptions.append(subscription)
          tenancies += reader.tenancies
        }
        problems += reader.problems
      }
    }
    guard problems.isEmpty else { throw SubscriptionDirectoryError(problems: problems) }
    self.init(checked: subscriptions, tenancies)
  }
}

/// Reads one subscription of the file and gathers what is wrong with it.
private struct SubscriptionReader {
  private static let members: Set<String> = [
    "id", "displayName", "owner", "costCenter", "tags", "state", "providers",
  ]

  let path: String
  var problems: [String] = []
  private(set) var tenancies: [Tenancy] = []

  init(path: String) {
    self.path = path
  }

  /// Nil without an id. Counts only where `problems` stays empty.
  mutating func subscription(_ element: JSONValue) -> Subscription? {
    guard let object = JSONObject(element, path: path) else {
      problems.append("\(path): must be an object")
      return nil
    }
    problems += object.unknownMembers(known: SubscriptionReader.members)
    let subscription = Subscription(
      id: id(object), displayName: text(object, "displayName"), owner: text(object, "owner"),
      costCenter: text(object, "costCenter"), tags: tags(object), state: state(object))
    readTenancies(object, of: subscription.id)
    return subscription.id.isEmpty ? nil : subscription
  }

  private mutating func id(_ object: JSONObject) -> String {
    guard let id = SubscriptionReader.id(object["id"]) else {
      problems.append("\(path).id: \(SubscriptionReader.idExpectation)")
      return ""
    }
    return id
  }

  private static let idExpectation =
    "must be a text of 1 to \(EventLimits.subscriptionBytesMax) visible ASCII characters"

  /// The id of a subscription, or of a provider, which may be that of a subscription; nil where it is none.
  private static func id(_ value: JSONValue?) -> String? {
    guard let id = value?.string, (1...EventLimits.subscriptionBytesMax).contains(id.utf8.count),
      id.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { return nil }
    return id.asciiLowercased
  }

  private mutating func readTenancies(_ object: JSONObject, of subscription: String) {
    let name = "\(path).providers"
    guard let value = object["providers"] else { return }
    guard let list = value.array, list.count <= SubscriptionLimits.tenanciesMax else {
      problems.append(
        "\(name): must be an array of at most \(SubscriptionLimits.tenanciesMax) providers")
      return
    }
    for (index, element) in list.enumerated() {
      guard let tenancy = tenancy(element, "\(name)[\(index)]", of: subscription) else { continue }
      if let other = tenancies.firstIndex(where: { $0.hours.overlaps(tenancy.hours) }) {
        problems.append(
          "\(name)[\(index)]: is at the time of \"\(tenancies[other].provider)\"; one provider at a time"
        )
      }
      tenancies.append(tenancy)
    }
  }

  private mutating func tenancy(
    _ element: JSONValue, _ path: String, of subscription: String
  ) -> Tenancy? {
    guard let object = JSONObject(element, path: path) else {
      problems.append("\(path): must be an object")
      return nil
    }
    let countBefore = problems.count
    problems += object.unknownMembers(known: ["provider", "from", "until"])
    let provider = SubscriptionReader.id(object["provider"])
    if provider == nil { problems.append("\(path).provider: \(SubscriptionReader.idExpectation)") }
    let from = hour(object, "from") ?? Tenancy.always.lowerBound
    let until = hour(object, "until") ?? Tenancy.always.upperBound
    if from >= until { problems.append("\(path).until: must be after from") }
    guard problems.count == countBefore, let provider else { return nil }
    return Tenancy(provider: provider, subscription: subscription, hours: from..<until)
  }

  /// Nil where the member is absent, or no beginning of an hour, which is a problem.
  private mutating func hour(_ object: JSONObject, _ name: String) -> Hour? {
    guard let value = object[name], value != .null else { return nil }
    guard let instant = value.string.flatMap({ Instant(parsing: $0) }),
      instant == instant.hour.start, Tenancy.always.contains(instant.hour)
    else {
      problems.append(
        "\(object.path).\(name): must be the beginning of an hour, such as 2026-01-01T00:00:00Z")
      return nil
    }
    return instant.hour
  }

  private mutating func text(_ object: JSONObject, _ name: String) -> String {
    guard let value = object[name] else { return "" }
    guard let text = value.string, text.utf8.count <= SubscriptionLimits.textBytesMax else {
      problems.append(
        "\(path).\(name): must be a text of at most \(SubscriptionLimits.textBytesMax) bytes")
      return ""
    }
    return text
  }

  private mutating func tags(_ object: JSONObject) -> String {
    guard let value = object["tags"] else { return "" }
    guard case .object(let tags) = value, tags.count <= EventLimits.tagsMax,
      tags.allSatisfy({ $0.value.string != nil })
    else {
      problems.append("\(path).tags: must be an object of at most \(EventLimits.tagsMax) texts")
      return ""
    }
    guard !tags.isEmpty else { return "" }
    var writer = JSONWriter()
    writer.object { writer in
      for tag in tags.sorted(by: { $0.name < $1.name }) {
        writer.member(tag.name, string: tag.value.string ?? "")
      }
    }
    guard writer.bytes.count <= EventLimits.tagsBytesMax else {
      problems.append("\(path).tags: has more than \(EventLimits.tagsBytesMax) bytes")
      return ""
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  private mutating func state(_ object: JSONObject) -> Subscription.State {
    guard let value = object["state"] else { return .active }
    if let state = value.string.flatMap(Subscription.State.init(rawValue:)),
      Subscription.State.declared.contains(state)
    {
      return state
    }
    let known = Subscription.State.declared.map(\.rawValue).joined(separator: ", ")
    problems.append("\(path).state: must be one of \(known)")
    return .active
  }
}
