package import GRPCCore
package import StackmeterStore

/// Why a question has no answer.
package enum QueryError: Error, Equatable {
  case invalid(field: String, problem: String)
  /// The answer would be larger than answers may be.
  case tooWide(String)
  case store(StoreError)
  /// There is nothing of what was asked for, or the caller may not see it.
  case missing(String)
  /// The caller may not ask this.
  case forbidden(String)
  /// The collector gave no answer, or this one.
  case collector(RPCError.Code, String)
  /// All readers are busy.
  case busy
}

/// The one table of what callers are told.
extension QueryError: RPCErrorConvertible {
  package var rpcErrorCode: RPCError.Code {
    switch self {
    case .invalid: .invalidArgument
    case .tooWide: .outOfRange
    case .missing: .notFound
    case .forbidden: .permissionDenied
    case .collector(let code, _): code
    case .busy: .resourceExhausted
    case .store(let error):
      switch error.kind {
      case .missing, .interrupted: .unavailable
      case .olderSchema: .unavailable
      case .overflow, .removed, .tooLarge: .outOfRange
      case .tooSlow: .deadlineExceeded
      case .newerSchema, .otherCell, .otherWriter, .system: .internalError
      }
    }
  }

  package var rpcErrorMessage: String {
    switch self {
    case .invalid(let field, let problem): "\(field): \(problem)"
    case .tooWide(let problem), .missing(let problem), .forbidden(let problem): problem
    case .collector(let code, let problem):
      code == .outOfRange
        ? "the events behind this aggregate are no longer in the journal: \(problem)"
        : "collector: \(problem)"
    case .busy: "too many questions are being answered; retry after a pause"
    case .store(let error):
      error.kind == .missing
        ? "the usage database is not there yet; is the aggregator running?" : error.message
    }
  }

  package var rpcErrorCause: (any Error)? { nil }
}
