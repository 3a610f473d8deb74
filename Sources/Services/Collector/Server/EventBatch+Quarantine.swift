internal import StackmeterCore

extension EventBatch {
  /// The i-th event alone, for the quarantine. A text that is longer than it may be is cut off at its limit, and
  /// tags, which half a text would not be, are left out: a refused event takes no more room than a good one.
  func quarantined(_ index: Int) -> EventBatch {
    let series = series[Int(seriesIndex[index])]
    let resource = series.resource
    let hasRoomForTags = resource.tags.utf8.count <= EventLimits.tagsBytesMax
    var single = EventBatch(
      source: source.prefix(bytesMax: EventLimits.sourceBytesMax),
      series: [
        Series(
          subscription: series.subscription.prefix(bytesMax: EventLimits.subscriptionBytesMax),
          meter: series.meter.prefix(bytesMax: EventLimits.meterBytesMax),
          resource: Resource(
            uri: resource.uri.prefix(bytesMax: EventLimits.resourceURIBytesMax),
            location: resource.location.prefix(bytesMax: EventLimits.locationBytesMax),
            tags: hasRoomForTags ? resource.tags : "",
            additionalInfo: resource.additionalInfo.prefix(
              bytesMax: EventLimits.additionalInfoBytesMax)))
      ])
    let correction = correction(index).map {
      Correction($0.kind, $0.targetID.prefix(bytesMax: EventLimits.idBytesMax))
    }
    single.append(
      id: ids[idRange(index)].prefix(EventLimits.idBytesMax), seriesIndex: 0,
      usageStart: usageStart[index], usageEnd: usageEnd[index], attos: attos[index],
      correction: correction)
    return single
  }
}

extension String {
  /// The most whole characters of Unicode from the start that take at most `bytesMax` bytes.
  fileprivate func prefix(bytesMax: Int) -> String {
    guard utf8.count > bytesMax else { return self }
    var scalars = String.UnicodeScalarView()
    var bytes = 0
    for scalar in unicodeScalars {
      bytes += UTF8.width(scalar)
      guard bytes <= bytesMax else { break }
      scalars.append(scalar)
    }
    return String(scalars)
  }
}
