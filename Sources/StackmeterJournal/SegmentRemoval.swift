package import StackmeterCore

/// Removes segments that nobody needs any more, oldest first. A value that any thread may run, and run again after
/// a failure.
package struct SegmentRemoval: Sendable {
  let disk: any Disk
  let directory: String
  let segments: [UInt64]

  /// How many segments it removes.
  package var count: Int { segments.count }

  /// Each removal is durable before the next, so that whatever stops it leaves a log without a hole.
  package func run() throws(DiskError) {
    for segment in segments {
      let path = "\(directory)/\(Segment.name(firstPosition: segment, .sealed))"
      do throws(DiskError) {
        try disk.remove(path)
      } catch {
        guard error.isMissing else { throw error }
      }
      try disk.syncDirectory(directory)
    }
  }
}

extension RecordLog {
  /// Takes the oldest sealed segments out of the log, as far as all their records are before `position` and
  /// were reported before `time`; nil where there is none. `run` of the result removes the files; until then
  /// they are there again when the log is opened.
  ///
  /// The newest sealed segment always stays, because the next one is chained to it.
  package mutating func removeSegments(
    before position: UInt64, lastReportedBefore time: Instant
  ) -> SegmentRemoval? {
    let sealed = segments.prefix { $0.sealed != nil }
    let removed = sealed.dropLast().prefix { $0.nextPosition <= position && $0.lastTime < time }
    guard !removed.isEmpty else { return nil }
    let removal = SegmentRemoval(
      disk: disk, directory: directory, segments: removed.map(\.firstPosition))
    for segment in removed { lookup.forget(segment.firstPosition) }
    segments.removeFirst(removed.count)
    return removal
  }
}
