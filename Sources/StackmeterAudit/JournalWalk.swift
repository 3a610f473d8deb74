package import StackmeterJournal

/// A walk through a journal's files, from a position on, while the collector may write them.
package struct JournalWalk {
  private let disk: any Disk
  private let directory: String
  private var reader: LogReader
  private var records: ArraySlice<Record> = []
  /// The journal that was read; nil before the first record.
  private(set) package var id: LogID?

  package init(disk: any Disk, directory: String, from position: UInt64) {
    self.disk = disk
    self.directory = directory
    reader = LogReader(disk: disk, directory: directory, fromPosition: position)
  }

  /// Where the journal ends now. Its last commit may not be durable.
  package func tail() throws(AuditError) -> LogTail {
    let found = try journal { () throws(RecordLogError) in
      try LogTail.found(disk, directory, withLastCommit: true)
    }
    guard let found else { throw .noJournal(directory) }
    return found
  }

  /// The record that comes next, which stays where it is; nil at the tail.
  package mutating func peek(_ tail: LogTail) throws(AuditError) -> Record? {
    while records.isEmpty {
      let chunk = try journal { () throws(RecordLogError) in try reader.next(upTo: tail) }
      guard let chunk else { return nil }
      id = chunk.id
      records = Record.all(in: chunk.bytes, of: chunk.id)[...]
    }
    return records.first
  }

  /// Goes on behind the record that `peek` gave.
  package mutating func pass() {
    records.removeFirst()
  }
}
