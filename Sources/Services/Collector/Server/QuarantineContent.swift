internal import StackmeterCore
internal import StackmeterJournal

/// What a quarantine holds when it is opened: all of its log is read once.
struct QuarantineContent {
  /// The number of every open entry.
  private(set) var numbers: [RefusalDigest: UInt64] = [:]
  /// Of every entry that is closed and still there.
  private(set) var resolutions: [UInt64: QuarantineResolution] = [:]

  init(
    _ disk: any Disk, _ directory: String, _ log: borrowing RecordLog, key: (UInt64, UInt64)
  ) throws(RecordLogError) {
    let (tail, firstNumber) = (log.tail, log.firstPosition)
    var entries: [(number: UInt64, digest: RefusalDigest)] = []
    var reader = LogReader(disk: disk, directory: directory, fromPosition: firstNumber)
    while let chunk = try reader.next(upTo: tail) {
      for record in Record.all(in: chunk.bytes, of: chunk.id) {
        if let digest = RefusalDigest(record, key: key) {
          entries.append((record.firstPosition, digest))
        } else if let resolved = record.resolvedEntries {
          for (number, outcome) in resolved where number >= firstNumber {
            resolutions[number] = QuarantineResolution(outcome, time: record.firstTime)
          }
        } else if record.kind != .mark {
          throw .damaged(
            path: directory, offset: 0,
            problem: "the record at number \(record.firstPosition) has a good checksum but no "
              + "form that belongs into a quarantine")
        }
      }
    }
    for (number, digest) in entries where resolutions[number] == nil { numbers[digest] = number }
  }
}
