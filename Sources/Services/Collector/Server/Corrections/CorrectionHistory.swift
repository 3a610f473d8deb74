internal import StackmeterCore

/// What the ledger of corrections asks of the dedup index and of the journal, and what it tells the index.
///
/// Everything that was decided so far counts, committed or not: whoever gathers events in a record writes it before
/// the ledger is asked.
protocol CorrectionHistory: ~Copyable {
  /// How reading fails.
  associatedtype Failure: Error

  /// Where the event or correction of this identity stands: was accepted, or parked.
  mutating func position(of identity: EventIdentity) throws(Failure) -> UInt64?

  /// The position of the correction that is in effect upon the event of this identity.
  mutating func correction(of identity: EventIdentity) throws(Failure) -> UInt64?

  /// Remembers that the correction at `position` is in effect upon the event of this identity.
  mutating func setCorrection(of identity: EventIdentity, at position: UInt64)

  /// What was declared at a position that one of the two above gave.
  mutating func event(at position: UInt64) throws(Failure) -> UsageEvent
}
