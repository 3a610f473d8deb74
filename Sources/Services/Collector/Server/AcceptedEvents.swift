internal import StackmeterCore

/// The events of one batch that are accepted, as ranges of its columns: mostly one range, the batch itself.
struct AcceptedEvents {
  private(set) var ranges: [Range<Int>] = []
  private(set) var count = 0

  mutating func append(_ event: Int) {
    count += 1
    if let last = ranges.last, last.upperBound == event {
      ranges[ranges.count - 1] = last.lowerBound..<event + 1
    } else {
      ranges.append(event..<event + 1)
    }
  }

  /// The index in the batch of the n-th accepted event.
  func event(_ number: Int) -> Int {
    var left = number
    for range in ranges {
      if left < range.count { return range.lowerBound + left }
      left -= range.count
    }
    preconditionFailure("one of the accepted events")
  }

  /// The accepted events with canonical series, in parts that take about `bytesMax` bytes each at most.
  func batches(of batch: EventBatch, series: [Series?], bytesMax: Int) -> [EventBatch] {
    var parts: [EventBatch] = []
    var part = PartialBatch(
      of: batch, expectedCount: min(count, bytesMax / EventBatch.journalColumnBytes))
    for range in ranges {
      var events = range
      while !events.isEmpty {
        events =
          part.append(events, of: batch, series: series, bytesMax: bytesMax)..<range.upperBound
        guard part.bytes >= bytesMax else { continue }
        parts.append(part.batch)
        part = PartialBatch(
          of: batch, expectedCount: min(count, bytesMax / EventBatch.journalColumnBytes))
      }
    }
    if !part.batch.isEmpty { parts.append(part.batch) }
    return parts
  }
}

/// A batch that is gathered from some events of another one, with only the series that they need.
private struct PartialBatch {
  var batch: EventBatch
  /// About what it takes in the journal.
  var bytes = 0
  /// Where a series of the other batch stands in this one.
  private var slots: [UInt32]

  private static let none = UInt32.max
  init(of other: EventBatch, expectedCount: Int) {
    batch = EventBatch(source: other.source)
    batch.reserveCapacity(expectedCount, idBytes: min(other.ids.count, expectedCount * 32))
    slots = Array(repeating: PartialBatch.none, count: other.series.count)
  }

  /// Appends events until it has `bytesMax` bytes; returns where it stopped.
  mutating func append(
    _ events: Range<Int>, of other: EventBatch, series: [Series?], bytesMax: Int
  ) -> Int {
    let idStart = other.idRange(events.lowerBound).lowerBound
    let shift = batch.ids.count - idStart
    let before = bytes
    var seriesBytes = 0
    var end = events.lowerBound
    while end < events.upperBound {
      seriesBytes += place(Int(other.seriesIndex[end]), series)
      batch.idEnds.append(other.idEnds[end] + shift)
      end += 1
      bytes =
        before + seriesBytes + other.idEnds[end - 1] - idStart
        + (end - events.lowerBound) * EventBatch.journalColumnBytes
      if bytes >= bytesMax { break }
    }
    let taken = events.lowerBound..<end
    batch.ids.append(contentsOf: other.ids[idStart..<other.idEnds[end - 1]])
    batch.usageStart.append(contentsOf: other.usageStart[taken])
    batch.usageEnd.append(contentsOf: other.usageEnd[taken])
    batch.attos.append(contentsOf: other.attos[taken])
    return end
  }

  /// Appends the index of a series, and the series where it is new; returns the bytes of a new one.
  private mutating func place(_ index: Int, _ series: [Series?]) -> Int {
    if slots[index] != PartialBatch.none {
      batch.seriesIndex.append(slots[index])
      return 0
    }
    guard let series = series[index] else { preconditionFailure("its series is canonical") }
    slots[index] = UInt32(batch.series.count)
    batch.series.append(series)
    batch.seriesIndex.append(slots[index])
    return series.journalByteCount
  }
}

extension Series {
  /// What its texts take in the journal, each with its length.
  var journalByteCount: Int { byteCount + 6 * 2 }
}

extension EventBatch {
  /// What an event takes in the journal beside its id: an end, a series index, two instants and a quantity.
  static let journalColumnBytes = 40
  /// What a batch takes in a record beside its source, series and events.
  static let journalHeadBytes = 14
}
