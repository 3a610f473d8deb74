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
  package static func canonicalTags(_ tags: [String: String]) -> String {
    guard !tags.isEmpty else { return "" }
    // Sorted by UTF-8 bytes: the same order in every language and locale.
    let sorted = tags.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    var writer = JSONWriter()
    writer.object { writer in
      for (name, value) in sorted { writer.member(name, string: value) }
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// The tags as a dictionary; empty where the text is not what `canonicalTags` makes.
  package var tagValues: [String: String] {
    guard !tags.isEmpty,
      case .object(let members)? = try? JSONValue(parsing: Array(tags.utf8), limits: .event)
    else { return [:] }
    var values: [String: String] = [:]
    for member in members { values[member.name] = member.value.string }
    return values
  }
}

extension Resource: Hashable {
  package static func == (left: Resource, right: Resource) -> Bool {
    left.uri.utf8.elementsEqual(right.uri.utf8)
      && left.location.utf8.elementsEqual(right.location.utf8)
      && left.tags.utf8.elementsEqual(right.tags.utf8)
      && left.additionalInfo.utf8.elementsEqual(right.additionalInfo.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    for text in [uri, location, tags, additionalInfo] {
      var text = text
      text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
      hasher.combine(0 as UInt8)
    }
  }
}
