internal import StackmeterCore

/// Which files are the dedup index, and the key of its hashes.
struct DedupManifest: Sendable {
  static let name = "manifest"
  private static let magic: [UInt8] = Array("stackidx".utf8)
  private static let version: UInt32 = 1

  /// A run's file, by the hour and a number that no other run ever has.
  struct Run: Hashable, Sendable {
    let hour: Hour
    let number: UInt64
    let count: Int
    /// The events of this hour at positions below this are in the hour's runs.
    let coveredPosition: UInt64

    var name: String { "hour-\(hour.index)-\(number).run" }
  }

  var key: (UInt64, UInt64)
  /// Every event at a position below this is in a run, or past the lateness limit.
  var entriesFrom: UInt64
  /// Of hours before this some events may be missing.
  var firstHour: Hour
  /// Each hour's in the order in which they were written.
  var runs: [Run] = []
  var nextRunNumber: UInt64 = 1

  init(key: (UInt64, UInt64), entriesFrom: UInt64, firstHour: Hour) {
    self.key = key
    self.entriesFrom = entriesFrom
    self.firstHour = firstHour
  }

  /// Puts itself in the place of the one before, durably.
  func write(_ disk: any Disk, _ directory: String, _ id: LogID) throws(DiskError) {
    var writer = ByteWriter(bytes: DedupManifest.magic)
    writer.number(DedupManifest.version)
    writer.number(id.rawValue)
    writer.number(key.0)
    writer.number(key.1)
    writer.number(entriesFrom)
    writer.number(firstHour.index)
    writer.number(nextRunNumber)
    writer.number(UInt32(runs.count))
    for run in runs {
      writer.number(run.hour.index)
      writer.number(run.number)
      writer.number(UInt64(run.count))
      writer.number(run.coveredPosition)
    }
    writer.number(Record.checksum(writer.bytes[...], seed: id.seed))
    let path = "\(directory)/\(DedupManifest.name)"
    try disk.replace(path) { (file: inout SequentialFile) throws(DiskError) in
      try file.append(writer.bytes)
    }
    try disk.syncDirectory(directory)
  }

  /// Nil where the bytes are no manifest of the log `id`.
  init?(_ bytes: [UInt8], of id: LogID) {
    var reader = ByteReader(bytes.dropLast(4))
    var end = ByteReader(bytes.suffix(4))
    guard bytes.count > 4, reader.slice(8).map({ Array($0) }) == DedupManifest.magic,
      reader.number(UInt32.self) == DedupManifest.version,
      reader.number(UInt64.self) == id.rawValue,
      let key0 = reader.number(UInt64.self), let key1 = reader.number(UInt64.self),
      let entriesFrom = reader.number(UInt64.self), let firstHour = reader.number(Int64.self),
      let nextRunNumber = reader.number(UInt64.self), let count = reader.number(UInt32.self),
      end.number(UInt32.self) == Record.checksum(bytes.dropLast(4), seed: id.seed)
    else { return nil }
    key = (key0, key1)
    self.entriesFrom = entriesFrom
    self.firstHour = Hour(index: firstHour)
    self.nextRunNumber = nextRunNumber
    for _ in 0..<count {
      guard let hour = reader.number(Int64.self), let number = reader.number(UInt64.self),
        let entries = reader.number(UInt64.self).flatMap({ Int(exactly: $0) }),
        let covered = reader.number(UInt64.self)
      else { return nil }
      runs.append(
        Run(
          hour: Hour(index: hour), number: number, count: entries, coveredPosition: covered))
    }
    guard reader.isAtEnd else { return nil }
  }
}

/// A new file that is written from front to back.
struct SequentialFile {
  private let file: any DiskFile
  private var offset = 0

  init(_ file: any DiskFile) { self.file = file }

  mutating func append(_ bytes: [UInt8]) throws(DiskError) {
    try file.write(bytes, at: offset)
    offset += bytes.count
  }
}

extension Disk {
  /// Makes a file under another name, and renames it to `path` once what `write` has written is durable. The name is
  /// durable once the directory is synced. Such a file is next read when the index is opened.
  func replace<Result>(
    _ path: String, _ write: (inout SequentialFile) throws(DiskError) -> Result
  ) throws(DiskError) -> Result {
    let file = try createFresh(path + ".new")
    defer { file.close() }
    var sequential = SequentialFile(file)
    let result = try write(&sequential)
    try file.sync()
    file.rest()
    try rename(path + ".new", to: path)
    return result
  }
}
