internal import GRPCCore
internal import StackmeterStore

extension StoreError {
  /// What a caller is told of a usage database that could not be written.
  var rpcErrorCode: RPCError.Code {
    switch kind {
    case .missing, .interrupted, .olderSchema: .unavailable
    case .overflow, .removed, .tooLarge: .outOfRange
    case .tooSlow: .deadlineExceeded
    case .newerSchema, .otherCell, .otherWriter, .system: .internalError
    }
  }
}
