package import GRPCCore
internal import StackmeterRPC
package import StackmeterStore

/// Why nothing was written for bills.
package enum BillingError: Error {
  /// The usage database is not open yet.
  case notOpen
  /// Another call closes statements now.
  case underWay
  /// It cannot be done as things are.
  case refused(String)
  case invalid(field: String, problem: String)
  case store(StoreError)
}

/// The one table of what callers are told.
extension BillingError: RPCErrorConvertible {
  package var rpcErrorCode: RPCError.Code {
    switch self {
    case .notOpen: .unavailable
    case .underWay, .refused: .failedPrecondition
    case .invalid: .invalidArgument
    case .store(let error): error.rpcErrorCode
    }
  }

  package var rpcErrorMessage: String {
    switch self {
    case .notOpen: "the usage database is not open yet; retry after a pause"
    case .underWay: "statements are being closed by another call; wait until it is done"
    case .refused(let problem): problem
    case .invalid(let field, let problem): "\(field): \(problem)"
    case .store(let error): error.message
    }
  }

  package var rpcErrorCause: (any Error)? { nil }
}
