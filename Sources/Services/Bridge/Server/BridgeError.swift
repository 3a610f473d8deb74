package import GRPCCore
internal import StackmeterStore

/// Why the bridge did not do what it was asked.
package enum BridgeError: Error, Equatable {
  /// Every problem of the registration.
  case registration([String])
  case invalid(field: String, problem: String)
  /// What is asked for needs a registration.
  case unregistered
  /// The outbox or the registration's file could not be read or written.
  case storage(String)
}

/// The one table of what callers are told.
extension BridgeError: RPCErrorConvertible {
  package var rpcErrorCode: RPCError.Code {
    switch self {
    case .registration, .invalid: .invalidArgument
    case .unregistered: .failedPrecondition
    case .storage: .internalError
    }
  }

  package var rpcErrorMessage: String {
    switch self {
    case .registration(let problems): problems.joined(separator: "; ")
    case .invalid(let field, let problem): "\(field): \(problem)"
    case .unregistered: "this installation is not registered; see stackmeter bridge register"
    case .storage(let problem): problem
    }
  }

  package var rpcErrorCause: (any Error)? { nil }
}
