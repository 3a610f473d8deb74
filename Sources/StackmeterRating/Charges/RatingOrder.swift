package import StackmeterCore

extension UsageAggregate {
  /// The order that usage is rated in: by subscription, meter and usage time; then by the window that it was reported
  /// in and by its resource, so that no two rows are alike.
  package func isRated(before other: UsageAggregate) -> Bool {
    if series == other.series { return timeOrder(other) < 0 }
    var order = series.meterOrder(other.series)
    if order == 0 { order = timeOrder(other, isOfSeries: false) }
    return order == 0 ? series.resourceOrder(other.series) < 0 : order < 0
  }

  /// Below zero where it comes first. Rows of one series at the same times differ by cell or quantity.
  fileprivate func timeOrder(_ other: UsageAggregate, isOfSeries: Bool = true) -> Int {
    if usageStart != other.usageStart { return usageStart < other.usageStart ? -1 : 1 }
    if usageEnd != other.usageEnd { return usageEnd < other.usageEnd ? -1 : 1 }
    if window != other.window { return window < other.window ? -1 : 1 }
    guard isOfSeries else { return 0 }
    let order = (cell ?? "").byteOrder(other.cell ?? "")
    if order != 0 { return order }
    return quantity == other.quantity ? 0 : quantity < other.quantity ? -1 : 1
  }
}

extension Series {
  /// By subscription, and meter without regard to case.
  fileprivate func meterOrder(_ other: Series) -> Int {
    let order = subscription.byteOrder(other.subscription)
    return order == 0 ? meter.asciiLowercased.byteOrder(other.meter.asciiLowercased) : order
  }

  /// By what tells series of one meter apart.
  fileprivate func resourceOrder(_ other: Series) -> Int {
    for (one, two) in [
      (resource.uri, other.resource.uri), (resource.location, other.resource.location),
      (resource.tags, other.resource.tags),
      (resource.additionalInfo, other.resource.additionalInfo), (meter, other.meter),
    ] {
      let order = one.byteOrder(two)
      if order != 0 { return order }
    }
    return 0
  }
}

extension [UsageAggregate] {
  /// The rows in the order that they are rated in. Texts are compared once for each series, not for each row.
  var inRatingOrder: [UsageAggregate] {
    if indices.dropFirst().allSatisfy({ !self[$0].isRated(before: self[$0 - 1]) }) { return self }
    var places: [Series: Int] = [:]
    var series: [Series] = []
    let numbers = map { row in
      if let place = places[row.series] { return place }
      places[row.series] = series.count
      series.append(row.series)
      return series.count - 1
    }
    let byMeter = series.indices.sorted { one, two in
      let order = series[one].meterOrder(series[two])
      return order == 0 ? series[one].resourceOrder(series[two]) < 0 : order < 0
    }
    var meterRanks = [Int](repeating: 0, count: series.count)
    var ranks = meterRanks
    for (rank, number) in byMeter.enumerated() {
      ranks[number] = rank
      guard rank > 0 else { continue }
      let before = byMeter[rank - 1]
      let isSame = series[before].meterOrder(series[number]) == 0
      meterRanks[number] = isSame ? meterRanks[before] : rank
    }
    let order = indices.sorted { one, two in
      let (left, right) = (numbers[one], numbers[two])
      if meterRanks[left] != meterRanks[right] { return meterRanks[left] < meterRanks[right] }
      let order = self[one].timeOrder(self[two], isOfSeries: left == right)
      return order == 0 ? ranks[left] < ranks[right] : order < 0
    }
    return order.map { self[$0] }
  }
}

extension String {
  /// The order of the UTF-8 bytes: below zero where this comes first, zero where they are the same.
  func byteOrder(_ other: String) -> Int {
    if hasSameBytes(as: other) { return 0 }
    let order = utf8.withContiguousStorageIfAvailable { bytes in
      other.utf8.withContiguousStorageIfAvailable { bytes.order($0) }
    }.flatMap { $0 }
    return order ?? (utf8.lexicographicallyPrecedes(other.utf8) ? -1 : 1)
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Compares eight bytes at a time.
  fileprivate func order(_ other: UnsafeBufferPointer<UInt8>) -> Int {
    let (one, two) = (UnsafeRawBufferPointer(self), UnsafeRawBufferPointer(other))
    let common = Swift.min(count, other.count)
    var offset = 0
    while offset + 8 <= common {
      let left = one.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let right = two.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if left != right { return left.bigEndian < right.bigEndian ? -1 : 1 }
      offset += 8
    }
    while offset < common {
      if one[offset] != two[offset] { return one[offset] < two[offset] ? -1 : 1 }
      offset += 1
    }
    return count == other.count ? 0 : count < other.count ? -1 : 1
  }
}
