/// What usage is counted against: one meter of one resource instance of one subscription.
///
/// Two series are the same when all fields are, byte for byte. The subscription is in lower case and the
/// meter in its catalog's spelling once the collector has accepted an event.
package struct Series: Hashable, Sendable {
  package var subscription: String
  package var meter: String
  package var resource: Resource

  package init(subscription: String, meter: String, resource: Resource) {
    self.subscription = subscription
    self.meter = meter
    self.resource = resource
  }

  /// That of a void, which counts nothing.
  package static let none = Series(subscription: "", meter: "", resource: Resource(uri: ""))
}

/// The resource instance, as its provider describes it. Equality is by bytes, not by Unicode equivalence.
package struct Resource: Sendable {
  /// An ARM-style id: `/subscriptions/{id}/resourceGroups/{name}/providers/…`.
  package var uri: String
  package var location: String
  /// A JSON object of texts with sorted names and no spaces, or empty. See `canonicalTags`.
  package var tags: String
  /// Free text, by custom JSON; passed through to clients.
  package var additionalInfo: String

  package init(uri: String, location: String = "", tags: String = "", additionalInfo: String = "") {
    self.uri = uri
    self.location = location
    self.tags = tags
    self.additionalInfo = additionalInfo
  }

  /// The one text for a set of tags, so that equal tags make equal series. Empty for no tags.
  ///
  /// Where a name stands twice, byte for byte, its last value counts.
  package static func canonicalTags(_ tags: [(name: String, value: String)]) -> String {
    guard !tags.isEmpty else { return "" }
    var last: [ExactText: String] = [:]
    for tag in tags { last[ExactText(tag.name)] = tag.value }
    // Sorted by UTF-8 bytes: the same order in every language and locale.
    let sorted = last.sorted { $0.key.text.utf8.lexicographicallyPrecedes($1.key.text.utf8) }
    var writer = JSONWriter()
    writer.object { writer in
      for (name, value) in sorted { writer.member(name.text, string: value) }
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// The tags in canonical order; empty where the text is not what `canonicalTags` makes.
  package var tagMembers: [(name: String, value: String)] {
    guard !tags.isEmpty,
      case .object(let members)? = try? JSONValue(parsing: Array(tags.utf8), limits: .event)
    else { return [] }
    return members.compactMap { member in
      member.value.string.map { (name: member.name, value: $0) }
    }
  }
}

extension Resource: Hashable {
  package static func == (left: Resource, right: Resource) -> Bool {
    left.uri.hasSameBytes(as: right.uri)
      && left.location.hasSameBytes(as: right.location)
      && left.tags.hasSameBytes(as: right.tags)
      && left.additionalInfo.hasSameBytes(as: right.additionalInfo)
  }

  package func hash(into hasher: inout Hasher) {
    uri.hashBytes(into: &hasher)
    location.hashBytes(into: &hasher)
    tags.hashBytes(into: &hasher)
    additionalInfo.hashBytes(into: &hasher)
  }
}

extension Series {
  package static func == (left: Series, right: Series) -> Bool {
    left.subscription.hasSameBytes(as: right.subscription)
      && left.meter.hasSameBytes(as: right.meter)
      && left.resource == right.resource
  }

  package func hash(into hasher: inout Hasher) {
    subscription.hashBytes(into: &hasher)
    meter.hashBytes(into: &hasher)
    hasher.combine(resource)
  }
}
