package import CStackmeterProto
package import StackmeterCore

extension Series: WireMessage {
  package init(wire raw: borrowing Stackmeter__V1__Series) throws(WireError) {
    let tags = try elements(raw.tags, raw.n_tags) { (entry) throws(WireError) in
      (name: text(entry.key), value: text(entry.value))
    }
    self.init(
      subscription: text(raw.subscription), meter: text(raw.meter),
      resource: Resource(
        uri: text(raw.resource_uri), location: text(raw.location),
        tags: Resource.canonicalTags(tags), additionalInfo: text(raw.additional_info)))
  }

  package func fill(_ raw: inout Stackmeter__V1__Series, _ packer: borrowing Packer) {
    fill(&raw, packer.arena)
  }

  func fill(_ raw: inout Stackmeter__V1__Series, _ arena: borrowing Arena) {
    raw.subscription = arena.text(subscription)
    raw.meter = arena.text(meter)
    raw.resource_uri = arena.text(resource.uri)
    raw.location = arena.text(resource.location)
    raw.additional_info = arena.text(resource.additionalInfo)
    guard !resource.tags.isEmpty else { return }
    let tags = resource.tagMembers
    raw.n_tags = tags.count
    raw.tags = arena.messages(tags) {
      (tag, entry: inout Stackmeter__V1__Series__TagsEntry) in
      entry.key = arena.text(tag.name)
      entry.value = arena.text(tag.value)
    }
  }
}
