/// The segments of a log as files, for an owner that removes the oldest once nothing in them is needed.
package enum SegmentFiles {
  /// The first position of every segment, ascending.
  package static func firstPositions(
    _ disk: any Disk, _ directory: String
  ) throws(DiskError) -> [UInt64] {
    try disk.list(directory).compactMap { Segment.firstPosition(name: $0) }.sorted()
  }

  /// Removes a log's oldest segment for good. Never the only one: the last segment says which number comes next.
  package static func remove(
    _ disk: any Disk, _ directory: String, firstPosition: UInt64
  ) throws(DiskError) {
    let path = "\(directory)/\(Segment.name(firstPosition: firstPosition))"
    try disk.remove(path)
    // Before the next one is removed, so that no crash leaves a gap.
    try disk.syncDirectory(directory)
  }
}
