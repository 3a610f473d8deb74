/// Which resource instances a question is about, by what their providers say of them.
///
/// Of one list one entry must match; every list that has entries must. Of tags with one name one must match.
/// All are compared byte for byte, but resource groups, which are in lower case here and in any case there, as Azure's
/// are.
package struct SeriesSelection: Hashable, Sendable {
  package var resourceURIs: [String] = []
  /// With `resourceURIs`: one of both lists.
  package var resourceURIPrefixes: [String] = []
  /// In lower case.
  package var resourceGroups: [String] = []
  package var locations: [String] = []
  package var tags: [TagSelection] = []

  package init() {}

  package static let all = SeriesSelection()

  package var isAll: Bool { self == .all }

  package func matches(_ resource: Resource) -> Bool {
    if !resourceURIs.isEmpty || !resourceURIPrefixes.isEmpty {
      guard
        resourceURIs.contains(where: { $0.hasSameBytes(as: resource.uri) })
          || resourceURIPrefixes.contains(where: { resource.uri.utf8.starts(with: $0.utf8) })
      else { return false }
    }
    if !locations.isEmpty {
      guard locations.contains(where: { $0.hasSameBytes(as: resource.location) }) else {
        return false
      }
    }
    if !resourceGroups.isEmpty {
      guard let group = resource.resourceGroup,
        resourceGroups.contains(where: { $0.hasSameBytes(as: group) })
      else { return false }
    }
    guard !tags.isEmpty else { return true }
    let members = resource.tagMembers
    return tags.allSatisfy { wanted in
      // Of the tags of one name any will do.
      members.contains { member in
        member.name.hasSameBytes(as: wanted.name)
          && tags.contains { other in
            other.name.hasSameBytes(as: wanted.name)
              && other.value.map { $0.hasSameBytes(as: member.value) } ?? true
          }
      }
    }
  }
}

/// A tag of this name, with this value or with any.
package struct TagSelection: Hashable, Sendable {
  package var name: String
  package var value: String?

  package init(name: String, value: String?) {
    self.name = name
    self.value = value
  }

  /// Reads `name` or `name:value`: the name ends at the first colon. Nil without a name.
  package init?(parsing text: String) {
    let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
    name = String(text[..<(colon ?? text.endIndex)])
    value = colon.map { String(text[text.utf8.index(after: $0)...]) }
    guard !name.isEmpty else { return nil }
  }
}

extension Resource {
  private static let groupSegment = Array("resourcegroups".utf8)

  /// The resource group in lower case: the segment behind the first `resourceGroups` of the URI; nil without one.
  package var resourceGroup: String? {
    var segments = uri.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[
      ...]
    while let segment = segments.popFirst() {
      guard segment.count == Resource.groupSegment.count,
        zip(segment, Resource.groupSegment).allSatisfy({ $0 | 0x20 == $1 })
      else { continue }
      guard let group = segments.first, !group.isEmpty else { return nil }
      return String(Substring(group)).asciiLowercased
    }
    return nil
  }

  /// The value of a tag; nil where there is none of this name.
  package func tag(_ name: String) -> String? {
    tagMembers.last { $0.name.hasSameBytes(as: name) }?.value
  }
}
