package import StackmeterJournal
package import StackmeterStore

/// Why journal and usage database cannot be compared at all.
package enum AuditError: Error, Equatable, CustomStringConvertible {
  case journal(RecordLogError)
  case store(StoreError)
  /// There is no journal in the directory.
  case noJournal(String)
  /// The usage database has read another journal.
  case otherJournal(LogID, read: LogID)
  /// The journal ends before the usage database does.
  case journalEnds(position: UInt64, expected: UInt64)
  /// A whole record that this program cannot read.
  case undecodable(position: UInt64)
  case tooManySetAside(limit: Int)

  package var description: String {
    switch self {
    case .journal(let error): error.description
    case .store(let error): error.message
    case .noJournal(let directory): "there is no journal in \(directory)"
    case .otherJournal(let found, let read):
      "the journal is \(found), but the usage database has read \(read): give the right one"
    case .journalEnds(let position, let expected):
      "the journal ends at position \(position), but the usage database has counted it up to "
        + "\(expected): a part of the journal is missing; restore it from a backup"
    case .undecodable(let position):
      "the journal's record at position \(position) is of no known form"
    case .tooManySetAside(let limit):
      "the table unapplied has more than \(limit) rows; look into their reasons first"
    }
  }
}

/// What the journal is asked; a refusal becomes one of the audit's own errors.
func journal<Result>(
  _ body: () throws(RecordLogError) -> Result
) throws(AuditError) -> Result {
  do throws(RecordLogError) { return try body() } catch { throw .journal(error) }
}

/// What the usage database is asked.
func store<Result>(
  _ body: () throws(StoreError) -> Result
) throws(AuditError) -> Result {
  do throws(StoreError) { return try body() } catch { throw .store(error) }
}
