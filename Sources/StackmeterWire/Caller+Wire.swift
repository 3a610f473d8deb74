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
    case STACKMETER__V1__CALLER__ROLE__ROLE_PROVIDER:
      let provider = text(raw!.pointee.provider)
      guard !provider.isEmpty else {
        throw .invalidField(field: "caller.provider", problem: "is needed for ROLE_PROVIDER")
      }
      self = .provider(provider.asciiLowercased)
    case STACKMETER__V1__CALLER__ROLE__ROLE_REPORTER:
      self = .reporter(sources: texts(raw!.pointee.sources, raw!.pointee.n_sources))
    default:
      throw .invalidField(
        field: "caller.role",
        problem: "is needed: ROLE_OPERATOR, ROLE_TENANT, ROLE_PROVIDER or ROLE_REPORTER")
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
      case .provider(let provider):
        raw.role = STACKMETER__V1__CALLER__ROLE__ROLE_PROVIDER
        raw.provider = arena.text(provider)
      case .reporter(let sources):
        raw.role = STACKMETER__V1__CALLER__ROLE__ROLE_REPORTER
        raw.n_sources = sources.count
        raw.sources = arena.texts(sources)
      }
    }
  }
}
