package import GRPCCore
internal import StackmeterCore
package import StackmeterJournal

/// Why a whole call was refused; nothing of it was kept, unless said otherwise.
package enum CollectorError: Error, Equatable {
  /// Too much work waits for the disk already.
  case queueFull
  /// The disk has less free than the reserve.
  case diskFull(freeBytes: UInt64, reserveBytes: UInt64)
  /// The disk, a quota or a limit leaves no space for what the call needs.
  case noSpace(String)
  /// The dedup index cannot write its files, and has no more room for them in memory.
  case dedupBehind
  /// The journal failed while the call waited: its events may be kept or not. The process is stopping.
  case journalFailed(String)
  case stopping
  /// A reader asks for what the journal never had.
  case beyondJournal(position: UInt64, nextPosition: UInt64)
  /// A reader goes on with what it has read of another journal.
  case otherJournal(LogID, read: LogID)
  /// A position without the journal that it is one of.
  case unnamedJournal
  /// A reader asks for what is no longer kept.
  case removedFromJournal(position: UInt64, first: UInt64)
  case journalDamaged(String)
  /// There is no such entry in the quarantine, or none any more.
  case noQuarantineEntry(UInt64)
  case invalidHeartbeat(field: String, problem: String)
  /// As many sources are declared as may be.
  case tooManySources

  static func logDamaged(_ error: RecordLogError) -> CollectorError {
    .journalDamaged(error.description)
  }
}

/// The one table of what callers are told.
extension CollectorError: RPCErrorConvertible {
  package var rpcErrorCode: RPCError.Code {
    switch self {
    case .queueFull, .dedupBehind, .diskFull, .noSpace: .resourceExhausted
    case .journalFailed, .stopping: .unavailable
    case .beyondJournal, .removedFromJournal: .outOfRange
    case .otherJournal, .tooManySources: .failedPrecondition
    case .unnamedJournal, .invalidHeartbeat: .invalidArgument
    case .journalDamaged: .dataLoss
    case .noQuarantineEntry: .notFound
    }
  }

  package var rpcErrorMessage: String {
    switch self {
    case .queueFull: "too many reports wait for the disk; retry after a pause"
    case .diskFull(let free, let reserve):
      "the journal's disk has \(free) bytes free, less than the reserve of \(reserve); "
        + "free some space and retry"
    case .noSpace(let problem):
      "there is no room for the journal (\(problem)); free some space and retry"
    case .journalFailed(let problem):
      "the journal failed (\(problem)); whether the events were kept is unknown, so retry"
    case .dedupBehind:
      "the dedup index waits for its files to be written; see the collector's log, and retry"
    case .stopping: "the collector is stopping; retry"
    case .beyondJournal(let position, let next):
      "position \(position) is beyond the journal, which ends at \(next): "
        + "this is another journal, or a part of it was lost"
    case .otherJournal(let own, let read):
      "this is journal \(own), but the reader has read \(read): "
        + "restore that journal, or rebuild the usage database from this one"
    case .unnamedJournal: "journal_id: must say which journal the position is of"
    case .removedFromJournal(let position, let first):
      RecordLogError.removed(position: position, first: first).description
    case .journalDamaged(let problem): problem
    case .noQuarantineEntry(let number): "the quarantine has no entry \(number)"
    case .invalidHeartbeat(let field, let problem): "\(field): \(problem)"
    case .tooManySources:
      "source: \(HeartbeatLimits.sourcesMax) sources are declared already; end one that reports no more "
        + "by a heartbeat with a cadence of 0, and retry"
    }
  }

  package var rpcErrorCause: (any Error)? { nil }
}
