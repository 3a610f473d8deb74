internal import StackmeterCore

/// Where a walk through a log's records stands, and so which record may come next.
///
/// Positions follow each other without a gap, times increase strictly, and a mark has the time of the record in
/// front of it.
struct RecordSequence: Sendable {
  private(set) var nextPosition: UInt64
  private(set) var lastTime: Instant

  init(nextPosition: UInt64, lastTime: Instant) {
    self.nextPosition = nextPosition
    self.lastTime = lastTime
  }

  /// At the start of a segment.
  init(_ header: SegmentHeader) {
    self.init(nextPosition: header.firstPosition, lastTime: header.previousTime)
  }

  /// Goes on behind `record`; what is wrong where it cannot come next.
  mutating func take(_ record: Record) -> String? {
    guard record.firstPosition == nextPosition else {
      return "a record at position \(record.firstPosition) instead of \(nextPosition)"
    }
    if record.kind == .mark {
      guard record.firstTime == lastTime, record.count == 0 else {
        return "a mark with another time than the record in front of it"
      }
      return nil
    }
    guard record.firstTime > lastTime else {
      return "a record that was reported before the one in front of it"
    }
    nextPosition = record.nextPosition
    lastTime = record.lastTime
    return nil
  }
}
