internal import StackmeterCore

extension EventBatch {
  /// The i-th event alone, for the quarantine. A text that is longer than it may be is cut off behind its limit,
  /// so that what is kept is as malformed as what came, and still takes little more room than a good event.
  func quarantined(_ index: Int) -> EventBatch {
    let series = series[Int(seriesIndex[index])]
    let resource = series.resource
    var single = EventBatch(
      source: source.prefix(past: EventLimits.sourceBytesMax),
      series: [
        Series(
          subscription: series.subscription.prefix(past: EventLimits.subscriptionBytesMax),
          meter: series.meter.prefix(past: EventLimits.meterBytesMax),
          resource: Resource(
            uri: resource.uri.prefix(past: EventLimits.resourceURIBytesMax),
            location: resource.location.prefix(past: EventLimits.locationBytesMax),
            tags: resource.tags.prefix(past: EventLimits.tagsBytesMax),
            additionalInfo: resource.additionalInfo.prefix(
              past: EventLimits.additionalInfoBytesMax)))
      ])
    let correction = correction(index).map {
      Correction($0.kind, $0.targetID.prefix(past: EventLimits.idBytesMax))
    }
    single.append(
      id: ids[idRange(index)].prefix(EventLimits.idBytesMax + 1), seriesIndex: 0,
      usageStart: usageStart[index], usageEnd: usageEnd[index], attos: attos[index],
      correction: correction)
    return single
  }
}

extension String {
  /// The whole text where it has at most `limit` bytes; otherwise whole characters of Unicode from its start, of
  /// more than `limit` bytes and at most 4 more.
  fileprivate func prefix(past limit: Int) -> String {
    guard utf8.count > limit else { return self }
    var scalars = String.UnicodeScalarView()
    var bytes = 0
    for scalar in unicodeScalars {
      guard bytes <= limit else { break }
      bytes += UTF8.width(scalar)
      scalars.append(scalar)
    }
    return String(scalars)
  }
}
