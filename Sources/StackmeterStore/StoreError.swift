/// What a usage database refused.
package struct StoreError: Error, Equatable, CustomStringConvertible {
  package enum Kind: Sendable {
    /// The usage database is not there yet: the aggregator has not made it.
    case missing
    /// A newer program made it.
    case newerSchema
    /// An older program made it, and the aggregator has not brought it up to date yet.
    case olderSchema
    /// It is the database of another cell.
    case otherCell
    /// Another process writes this cell of the database.
    case otherWriter
    /// What was done is given up, or nobody knows whether it was done: the connection was lost, the server stopped,
    /// another transaction was in the way. May be begun anew from the position that the database has.
    case interrupted
    /// A total does not fit a quantity.
    case overflow
    /// More would be written at once than may be.
    case tooLarge
    /// The question is about windows that the retention has removed.
    case removed
    /// The question took longer than questions may.
    case tooSlow
    /// The disk is full, the file is damaged, …
    case system
  }

  package let kind: Kind
  package let message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  package var description: String { message }
}
