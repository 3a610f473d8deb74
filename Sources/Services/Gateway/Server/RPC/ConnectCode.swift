internal import GRPCCore
internal import HTTPTypes

/// The error codes of the Connect protocol: those of gRPC, with a status of HTTP for each.
enum ConnectCode: String, CaseIterable {
  case canceled
  case unknown
  case invalidArgument = "invalid_argument"
  case deadlineExceeded = "deadline_exceeded"
  case notFound = "not_found"
  case alreadyExists = "already_exists"
  case permissionDenied = "permission_denied"
  case resourceExhausted = "resource_exhausted"
  case failedPrecondition = "failed_precondition"
  case aborted
  case outOfRange = "out_of_range"
  case unimplemented
  case `internal`
  case unavailable
  case dataLoss = "data_loss"
  case unauthenticated

  var status: HTTPResponse.Status {
    switch self {
    case .canceled: HTTPResponse.Status(code: 499, reasonPhrase: "Client Closed Request")
    case .invalidArgument, .failedPrecondition, .outOfRange: .badRequest
    case .unauthenticated: .unauthorized
    case .permissionDenied: .forbidden
    case .notFound: .notFound
    case .alreadyExists, .aborted: .conflict
    case .resourceExhausted: .tooManyRequests
    case .unimplemented: .notImplemented
    case .unavailable: .serviceUnavailable
    case .deadlineExceeded: .gatewayTimeout
    case .unknown, .internal, .dataLoss: .internalServerError
    }
  }

  /// What a service said.
  init(_ code: RPCError.Code) {
    switch code {
    case .cancelled: self = .canceled
    case .invalidArgument: self = .invalidArgument
    case .deadlineExceeded: self = .deadlineExceeded
    case .notFound: self = .notFound
    case .alreadyExists: self = .alreadyExists
    case .permissionDenied: self = .permissionDenied
    case .resourceExhausted: self = .resourceExhausted
    case .failedPrecondition: self = .failedPrecondition
    case .aborted: self = .aborted
    case .outOfRange: self = .outOfRange
    case .unimplemented: self = .unimplemented
    case .internalError: self = .internal
    case .unavailable: self = .unavailable
    case .dataLoss: self = .dataLoss
    case .unauthenticated: self = .unauthenticated
    default: self = .unknown
    }
  }

  /// What the gateway itself says, before or without a service.
  init(_ status: HTTPResponse.Status) {
    switch status {
    case .unauthorized: self = .unauthenticated
    case .forbidden: self = .permissionDenied
    case .notFound, .methodNotAllowed: self = .unimplemented
    case .requestTimeout: self = .deadlineExceeded
    case .contentTooLarge, .tooManyRequests: self = .resourceExhausted
    case .serviceUnavailable: self = .unavailable
    case .internalServerError: self = .internal
    default: self = .invalidArgument
    }
  }
}

extension HTTPProblem {
  init(_ code: ConnectCode, _ message: String, headers: HTTPFields = [:]) {
    self.init(code.status, code.rawValue, message, headers: headers)
  }

  /// A failed call as Connect tells it: in the words that it has on every surface. Nil for what no client can help.
  init?(connect error: RPCError) {
    guard let problem = HTTPProblem(error) else { return nil }
    self.init(ConnectCode(error.code), problem.detail, headers: problem.headers)
  }
}
