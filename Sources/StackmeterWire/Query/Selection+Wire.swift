internal import CStackmeterProto
internal import StackmeterCore

extension Granularity {
  /// Nil where none is said.
  init?(wire raw: Stackmeter__V1__Granularity) throws(WireError) {
    switch raw {
    case STACKMETER__V1__GRANULARITY__GRANULARITY_UNSPECIFIED: return nil
    case STACKMETER__V1__GRANULARITY__GRANULARITY_HOURLY: self = .hourly
    case STACKMETER__V1__GRANULARITY__GRANULARITY_DAILY: self = .daily
    case STACKMETER__V1__GRANULARITY__GRANULARITY_MONTHLY: self = .monthly
    default: throw .invalidField(field: "granularity", problem: "is unknown")
    }
  }

  var wire: Stackmeter__V1__Granularity {
    switch self {
    case .hourly: STACKMETER__V1__GRANULARITY__GRANULARITY_HOURLY
    case .daily: STACKMETER__V1__GRANULARITY__GRANULARITY_DAILY
    case .monthly: STACKMETER__V1__GRANULARITY__GRANULARITY_MONTHLY
    }
  }
}

extension TimeAxis {
  /// Nil where none is said.
  init?(wire raw: Stackmeter__V1__TimeAxis) throws(WireError) {
    switch raw {
    case STACKMETER__V1__TIME_AXIS__TIME_AXIS_UNSPECIFIED: return nil
    case STACKMETER__V1__TIME_AXIS__TIME_AXIS_REPORTED: self = .reported
    case STACKMETER__V1__TIME_AXIS__TIME_AXIS_USAGE: self = .usage
    default: throw .invalidField(field: "axis", problem: "is unknown")
    }
  }

  var wire: Stackmeter__V1__TimeAxis {
    switch self {
    case .reported: STACKMETER__V1__TIME_AXIS__TIME_AXIS_REPORTED
    case .usage: STACKMETER__V1__TIME_AXIS__TIME_AXIS_USAGE
    }
  }
}

extension SeriesSelection {
  /// All series where it is absent.
  init(wire raw: UnsafeMutablePointer<Stackmeter__V1__SeriesSelection>?) throws(WireError) {
    self.init()
    guard let raw = raw?.pointee else { return }
    let path = "selection."
    resourceURIs = try filter(raw.resource_uris, raw.n_resource_uris, path + "resource_uris")
    resourceURIPrefixes = try filter(
      raw.resource_uri_prefixes, raw.n_resource_uri_prefixes, path + "resource_uri_prefixes")
    resourceGroups = try filter(
      raw.resource_groups, raw.n_resource_groups, path + "resource_groups"
    ).map(\.asciiLowercased)
    locations = try filter(raw.locations, raw.n_locations, path + "locations")
    guard raw.n_tags <= ListUsageRequest.filterMax else {
      throw .invalidField(
        field: path + "tags",
        problem: "has \(raw.n_tags) names; at most \(ListUsageRequest.filterMax) are taken")
    }
    tags = try elements(raw.tags, raw.n_tags) { (tag) throws(WireError) in
      TagSelection(name: text(tag.name), value: tag.any_value != 0 ? nil : text(tag.value))
    }
  }

  /// Nil for all series.
  func wire(_ arena: borrowing Arena) -> UnsafeMutablePointer<Stackmeter__V1__SeriesSelection>? {
    guard !isAll else { return nil }
    return arena.message { raw in
      raw.n_resource_uris = resourceURIs.count
      raw.resource_uris = arena.texts(resourceURIs)
      raw.n_resource_uri_prefixes = resourceURIPrefixes.count
      raw.resource_uri_prefixes = arena.texts(resourceURIPrefixes)
      raw.n_resource_groups = resourceGroups.count
      raw.resource_groups = arena.texts(resourceGroups)
      raw.n_locations = locations.count
      raw.locations = arena.texts(locations)
      raw.n_tags = tags.count
      raw.tags = arena.messages(tags) { (tag, raw: inout Stackmeter__V1__TagSelection) in
        raw.name = arena.text(tag.name)
        raw.value = arena.text(tag.value ?? "")
        raw.any_value = tag.value == nil ? 1 : 0
      }
    }
  }
}
