/// Makes the files of segments, so that each appears under its name only when it is whole and durable.
enum SegmentFile {
  /// A raw segment that is open for writing.
  struct Opened {
    let file: any DiskFile
    /// What may be written of it; allocated unless the file system cannot.
    var capacity: Int
  }

  /// A new segment of `records` with the header `header`, and room up to `capacity` bytes, in place of one that
  /// has the same name. Without space for it nothing is left of it and nothing else has changed.
  static func create(
    _ disk: any Disk, _ directory: String, _ header: SegmentHeader, records: ArraySlice<UInt8> = [],
    capacity: Int
  ) throws(ReserveError) -> Opened {
    let path = "\(directory)/\(Segment.name(firstPosition: header.firstPosition))"
    let new = path + ".new"
    let file: any DiskFile
    let isAllocated: Bool
    do throws(DiskError) {
      file = try disk.createFresh(new)
      isAllocated = try allocate(disk, file, new, capacity)
    } catch {
      throw error.isNoSpace ? .noSpace(error) : .disk(error)
    }
    do throws(DiskError) {
      var header = header
      header.allocatedBytes = isAllocated ? capacity : 0
      try file.write(header.bytes(.raw) + records, at: 0)
      try file.sync()
      try disk.rename(new, to: path)
      try disk.syncDirectory(directory)
    } catch {
      throw .disk(error)
    }
    return Opened(file: file, capacity: capacity)
  }

  private static func allocate(
    _ disk: any Disk, _ file: any DiskFile, _ path: String, _ capacity: Int
  ) throws(DiskError) -> Bool {
    do {
      return try file.allocate(capacity)
    } catch {
      file.close()
      // Where it cannot be removed, the next attempt finds it and removes it first.
      try? disk.remove(path)
      throw error
    }
  }
}

/// Why there is no room for what is to be appended.
package enum ReserveError: Error, Equatable, CustomStringConvertible {
  /// The disk, a quota or a limit leaves no space. Nothing was written, and the log goes on.
  case noSpace(DiskError)
  /// The log has failed and is of no further use.
  case disk(DiskError)

  package var error: DiskError {
    switch self {
    case .noSpace(let error), .disk(let error): error
    }
  }

  package var description: String { error.description }
}
