internal import Synchronization

/// What usage is counted against: one meter of one resource instance of one subscription.
///
/// Two series are the same when all fields are, byte for byte. The subscription is in lower case and the
/// meter in its catalog's spelling once the collector has accepted an event.
///
/// Batches hold many series, and tables find them: so copying one is counting one reference, and its texts are
/// hashed once.
package struct Series: Sendable {
  private final class Texts: Sendable {
    let subscription: String
    let meter: String
    let resource: Resource
    let hash: Int
    let byteCount: Int
    let packed = AtomicLazyReference<PackedSeries>()

    init(_ subscription: String, _ meter: String, _ resource: Resource) {
      self.subscription = subscription
      self.meter = meter
      self.resource = resource
      var hasher = Hasher()
      subscription.hashBytes(into: &hasher)
      meter.hashBytes(into: &hasher)
      hasher.combine(resource)
      hash = hasher.finalize()
      byteCount =
        subscription.utf8.count + meter.utf8.count + resource.uri.utf8.count
        + resource.location.utf8.count + resource.tags.utf8.count
        + resource.additionalInfo.utf8.count
    }
  }

  private var texts: Texts

  package init(subscription: String, meter: String, resource: Resource) {
    texts = Texts(subscription, meter, resource)
  }

  package var subscription: String {
    get { texts.subscription }
    set { texts = Texts(newValue, meter, resource) }
  }

  package var meter: String {
    get { texts.meter }
    set { texts = Texts(subscription, newValue, resource) }
  }

  package var resource: Resource {
    get { texts.resource }
    set { texts = Texts(subscription, meter, newValue) }
  }

  /// The bytes of its six texts.
  package var byteCount: Int { texts.byteCount }

  /// The bytes that it travels in, which `pack` makes of it when they are asked for first.
  package func packed(_ pack: (Series) -> [UInt8]) -> [UInt8] {
    if let packed = texts.packed.load() { return packed.bytes }
    return texts.packed.storeIfNil(PackedSeries(bytes: pack(self))).bytes
  }

  /// Gives its six texts: subscription, meter, then those of the resource in their order.
  package func forEachText(_ body: (String) -> Void) {
    body(texts.subscription)
    body(texts.meter)
    body(texts.resource.uri)
    body(texts.resource.location)
    body(texts.resource.tags)
    body(texts.resource.additionalInfo)
  }

  /// That of a void, which counts nothing.
  package static let none = Series(subscription: "", meter: "", resource: Resource(uri: ""))
}

private final class PackedSeries: Sendable {
  let bytes: [UInt8]

  init(bytes: [UInt8]) {
    self.bytes = bytes
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
  ///
  /// Where a name stands twice, byte for byte, its last value counts.
  package static func canonicalTags(_ tags: [(name: String, value: String)]) -> String {
    guard !tags.isEmpty else { return "" }
    var tags = tags
    if !isCanonical(tags) {
      var last: [ExactText: String] = [:]
      for tag in tags { last[ExactText(tag.name)] = tag.value }
      tags = last.map { (name: $0.key.text, value: $0.value) }
      // By UTF-8 bytes: the same order in every language and locale.
      tags.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
    var writer = JSONWriter()
    writer.object { writer in
      for (name, value) in tags { writer.member(name, string: value) }
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// Whether the names are in order, and none stands twice.
  private static func isCanonical(_ tags: [(name: String, value: String)]) -> Bool {
    zip(tags, tags.dropFirst()).allSatisfy {
      $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
    }
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

extension Series: Hashable {
  package static func == (left: Series, right: Series) -> Bool {
    if left.texts === right.texts { return true }
    return left.texts.hash == right.texts.hash
      && left.subscription.hasSameBytes(as: right.subscription)
      && left.meter.hasSameBytes(as: right.meter)
      && left.resource == right.resource
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(texts.hash)
  }
}
