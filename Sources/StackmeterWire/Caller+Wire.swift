internal import CStackmeterProto
internal import StackmeterCore

extension Caller {
  /// A question without a caller is refused: nobody sees anything by leaving a field out.
  init(wire raw: UnsafeMutablePointer<Stackmeter__V1__Caller>?) throws(WireError) {
    switch raw?.pointee.role {
    case STACKMETER__V1__CALLER__ROLE__ROLE_OPERATOR: self = .operator
    case STACKMETER__V1__CALLER__ROLE__ROLE_TENANT:
      self = .tenant(
        subscriptions: texts(raw!.pointee.subscriptions, raw!.pointee.n_subscriptions)
          .map(\.asciiLowercased))
    default:
      throw .invalidField(
        field: "caller.role", problem: "is needed: ROLE_OPERATOR or ROLE_TENANT")
    }
  }

  func wire(_ arena: borrowing Arena) -> UnsafeMutablePointer<Stackmeter__V1__Caller> {
    arena.message { raw in
      switch self {
      case .operator: raw.role = STACKMETER__V1__CALLER__ROLE__ROLE_OPERATOR
      case .tenant(let subscriptions):
        raw.role = STACKMETER__V1__CALLER__ROLE__ROLE_TENANT
        raw.n_subscriptions = subscriptions.count
        raw.subscriptions = arena.texts(subscriptions)
      }
    }
  }
}
