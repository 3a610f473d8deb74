package import GRPCCore
package import StackmeterCore
internal import StackmeterRPC
package import StackmeterStore

/// Why nothing was restated.
package enum RestateError: Error {
  /// Another call restates now.
  case underWay
  /// There is no collector yet, or no file may be made.
  case notFollowing
  /// The journal begins where usage may still be corrected that it does not have.
  case journalTooShort(fromHour: Hour, correctableFrom: Hour)
  /// The journal's stream ended early.
  case journalEnded(position: UInt64, end: UInt64)
  case store(StoreError)
}

/// The one table of what callers are told.
extension RestateError: RPCErrorConvertible {
  package var rpcErrorCode: RPCError.Code {
    switch self {
    case .underWay, .journalTooShort: .failedPrecondition
    case .notFollowing, .journalEnded: .unavailable
    case .store(let error): error.rpcErrorCode
    }
  }

  package var rpcErrorMessage: String {
    switch self {
    case .underWay: "a restatement is under way; wait until it is done"
    case .notFollowing: "the aggregator does not follow the journal yet; retry after a pause"
    case .journalTooShort(let fromHour, let correctable):
      "the journal has lost its beginning, and is whole for usage hours from \(fromHour.start) on "
        + "only, but usage from \(correctable.start) on may still be reported and corrected: "
        + "wait until the journal is longer, or set the catalog back"
    case .journalEnded(let position, let end):
      "the collector gave the journal up to position \(position) instead of \(end); retry"
    case .store(let error): error.message
    }
  }

  package var rpcErrorCause: (any Error)? { nil }
}
