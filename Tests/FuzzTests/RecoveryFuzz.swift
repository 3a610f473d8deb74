import StackmeterCore
import StackmeterJournal
import StackmeterTesting

/// A small log of several segments, changed as the bytes say, and opened again: it holds a prefix of what it
/// held, or it is refused.
enum RecoveryFuzz {
  private static let directory = "/log"
  private static let id = LogID(rawValue: 0xFEDC_BA98_7654_3210)!
  private static let segmentBytesMax = 240
  private static let commits = 8

  /// The record of one position; the oldest are in the first segment.
  private static func record(_ log: borrowing RecordLog, _ number: Int) -> Record {
    Record(
      kind: .batch, count: 1, firstPosition: log.nextPosition,
      firstTime: Instant(nanoseconds: Int64(number) * 1_000_000_000),
      payload: [UInt8](repeating: UInt8(truncatingIfNeeded: number &* 37), count: 8 + number))
  }

  private static func open(
    _ disk: SimulatedDisk, _ replay: (Record) -> Void
  ) throws(RecordLogError) -> RecordLog {
    let log = try RecordLog(
      disk: disk, directory: directory, newID: id, segmentBytesMax: segmentBytesMax)
    var reader = LogReader(disk: disk, directory: directory, fromPosition: log.firstPosition)
    while let chunk = try reader.next(upTo: log.tail) {
      Record.all(in: chunk.bytes, of: chunk.id).filter { $0.kind == .batch }.forEach(replay)
    }
    return log
  }

  /// The files of a log that was closed well.
  private static let files: [(name: String, bytes: [UInt8])] = {
    let disk = SimulatedDisk()
    do {
      var log = try open(disk) { _ in }
      for number in 1...commits {
        log.append(record(log, number))
        try log.commit()
        // The older half is sealed, the newer one raw.
        if number == commits / 2 {
          while let seal = log.nextToSeal { log.didSeal(try seal.run()) }
        }
      }
      return try disk.list(directory).sorted().map {
        ($0, try disk.read("\(directory)/\($0)", from: 0, count: .max >> 1))
      }
    } catch {
      preconditionFailure("a new log takes records: \(error)")
    }
  }()

  static func run(_ bytes: [UInt8]) {
    var files = files.map { (name: $0.name, bytes: Optional($0.bytes)) }
    var changes = Changes(bytes: bytes[...])
    while changes.apply(to: &files) {}
    let disk = SimulatedDisk()
    do {
      try disk.makeDirectory(directory)
      for case (let name, let content?) in files {
        let file = try disk.create("\(directory)/\(name)")
        try file.write(content, at: 0)
        try file.sync()
      }
      try disk.syncDirectory(directory)
    } catch {
      preconditionFailure("a disk without faults takes files: \(error)")
    }
    do {
      try check(disk)
    } catch {
      // Refused: the disk has no faults here, so this is the log's own judgment.
    }
  }

  private static func check(_ disk: SimulatedDisk) throws(RecordLogError) {
    var replayed: [[UInt8]] = []
    var log = try open(disk) { replayed.append(Array($0.payload)) }
    precondition(replayed.count <= commits, "no record comes from nowhere")
    // The oldest segments may lie behind what is replayed; what is left of them is not looked at here.
    let next = Int(log.nextPosition)
    for (index, payload) in replayed.enumerated() {
      let number = next - replayed.count + index
      precondition(
        payload == [UInt8](repeating: UInt8(truncatingIfNeeded: number &* 37), count: 8 + number),
        "position \(number) holds what was written there")
    }
    // What was recovered takes records, and is recovered again.
    log.append(record(log, commits + 1 + next))
    do {
      try log.commit()
    } catch {
      preconditionFailure("a log that was opened takes records: \(error)")
    }
    _ = consume log
    var again: [[UInt8]] = []
    let reopened: RecordLog
    do {
      reopened = try open(disk) { again.append(Array($0.payload)) }
    } catch {
      preconditionFailure("what was recovered once is whole: \(error)")
    }
    precondition(
      Int(reopened.nextPosition) == next + 1
        && again.suffix(replayed.count + 1).dropLast()
          .elementsEqual(replayed.suffix(again.count - 1)),
      "what was recovered stays")
  }

  /// What the bytes say is done to the files: one command after the other.
  private struct Changes {
    var bytes: ArraySlice<UInt8>

    private mutating func next() -> Int? { bytes.popFirst().map(Int.init) }

    /// Carries out the next command; false at the end.
    mutating func apply(to files: inout [(name: String, bytes: [UInt8]?)]) -> Bool {
      guard let command = next(), let file = next(), let high = next(), let low = next() else {
        return false
      }
      let index = file % files.count
      guard var content = files[index].bytes else { return true }
      let place = content.isEmpty ? 0 : (high << 8 | low) % (content.count + 1)
      switch command % 8 {
      case 0:
        if place < content.count { content[place] ^= UInt8(next() ?? 1) }
      case 1:
        content.removeLast(content.count - place)
      case 2:
        let count = next() ?? 0
        content.replaceSubrange(
          place..<min(content.count, place + count),
          with: [UInt8](repeating: 0, count: min(content.count, place + count) - place))
      case 3:
        let count = min(next() ?? 0, bytes.count)
        content.insert(contentsOf: bytes.prefix(count), at: place)
        bytes = bytes.dropFirst(count)
      case 4:
        let count = next() ?? 0
        content.removeSubrange(place..<min(content.count, place + count))
      case 5:
        // A part of one file in the place of another's, as a misdirected write leaves it.
        let other = files[(next() ?? 0) % files.count].bytes ?? []
        let count = min(next() ?? 0, other.count)
        let start = other.isEmpty ? 0 : (next() ?? 0) % (other.count - count + 1)
        content.replaceSubrange(
          place..<min(content.count, place + count), with: other[start..<start + count])
      case 6:
        content += [UInt8](repeating: 0, count: next() ?? 0)
      default:
        // A file that is gone; without the rest it would only be a shorter log.
        files[index].bytes = place == 0 ? nil : files[(index + 1) % files.count].bytes
        return true
      }
      files[index].bytes = content
      return true
    }
  }
}
