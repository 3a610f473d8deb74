internal import CStackmeterProto
internal import StackmeterCore

extension Series {
  init(wire raw: borrowing Stackmeter__V1__Series) throws(WireError) {
    var tags: [String: String] = [:]
    if let entries = raw.tags {
      for index in 0..<raw.n_tags {
        guard let entry = entries[index] else { continue }
        tags[text(entry.pointee.key)] = text(entry.pointee.value)
      }
    }
    self.init(
      subscription: text(raw.subscription), meter: text(raw.meter),
      resource: Resource(
        uri: text(raw.resource_uri), location: text(raw.location),
        tags: Resource.canonicalTags(tags), additionalInfo: text(raw.additional_info)))
  }

  func fill(_ raw: inout Stackmeter__V1__Series, _ arena: borrowing Arena) {
    raw.subscription = arena.text(subscription)
    raw.meter = arena.text(meter)
    raw.resource_uri = arena.text(resource.uri)
    raw.location = arena.text(resource.location)
    raw.additional_info = arena.text(resource.additionalInfo)
    guard !resource.tags.isEmpty else { return }
    let tags = resource.tagValues.sorted { $0.key < $1.key }
    raw.n_tags = tags.count
    let entries = arena.buffer(
      UnsafeMutablePointer<Stackmeter__V1__Series__TagsEntry>?.self, count: tags.count)
    for (index, tag) in tags.enumerated() {
      (entries + index).initialize(
        to: arena.message { entry in
          entry.key = arena.text(tag.key)
          entry.value = arena.text(tag.value)
        })
    }
    raw.tags = entries
  }
}
