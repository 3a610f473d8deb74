internal import Glibc
internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterStore

/// Reads the content of a backup, or of what was restored from one: every record of its logs, every page and every
/// closed window of its database, every page of the bridge's outbox, and whether they belong together.
struct BackupCheck {
  static let database = "usage.sqlite"
  static let outbox = "bridge/outbox.sqlite"
  private static let rowsPerStep = 20_000

  let directory: String
  let content: BackupContent

  func run() throws {
    let journal = try check("journal", content.journal)
    _ = try check("quarantine", content.quarantine)
    try checkOutbox()
    guard let position = content.databasePosition else { return }
    try checkDatabase(position, journal)
  }

  private func failure(_ problem: String) -> CommandFailure {
    CommandFailure("\(directory): \(problem)", exitCode: EX_DATAERR)
  }

  /// Reads every record; gives the id.
  private func check(_ name: String, _ log: BackupContent.Log?) throws -> LogID? {
    let path = "\(directory)/\(name)"
    let tail = FileCopy.exists(path) ? try RecordLog.tail(FileDisk(), path) : nil
    guard let tail, let log else {
      guard tail == nil, log == nil else { throw failure("the \(name) is missing") }
      return nil
    }
    guard tail.nextPosition == log.nextPosition else {
      throw failure(
        "the \(name) ends at position \(tail.nextPosition), but it was copied up to "
          + "\(log.nextPosition)")
    }
    let id = try LogSnapshot(FileDisk(), path)?.id
    var reader = LogReader(disk: FileDisk(), directory: path, fromPosition: log.firstPosition)
    while try reader.next(upTo: tail) != nil {}
    guard id?.description == log.id else { throw failure("the \(name) is that of another log") }
    return id
  }

  private func checkOutbox() throws {
    let path = "\(directory)/\(BackupCheck.outbox)"
    guard FileCopy.exists(path) else { return }
    if let problem = try SQLite(path, .reader).integrityProblems().first {
      throw failure("the bridge's outbox: \(problem)")
    }
  }

  private func checkDatabase(_ expected: UInt64, _ journal: LogID?) throws {
    let reader = try SQLiteUsageReader(path: "\(directory)/\(BackupCheck.database)")
    let position = try reader.position()
    guard position.nextPosition == expected else {
      throw failure("the usage database is at position \(position.nextPosition), not \(expected)")
    }
    if position.journalID != 0 {
      guard let journal, journal.rawValue == position.journalID else {
        throw failure("the usage database was not made from this journal")
      }
      guard let log = content.journal, log.firstPosition <= expected, expected <= log.nextPosition
      else { throw failure("the journal does not go on from where the usage database is") }
    }
    if let problem = try reader.integrityProblems().first {
      throw failure("the usage database: \(problem)")
    }
    var scrub = UsageScrub(reader)
    while true {
      switch try scrub.step(rowsMax: BackupCheck.rowsPerStep) {
      case .working: continue
      case .damage(let problem): throw failure(problem)
      case .finished: return
      }
    }
  }
}
