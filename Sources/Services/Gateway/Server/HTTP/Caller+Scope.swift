internal import StackmeterCore

extension Caller {
  /// Whether a question about this subscription, in lower case, may be asked at all. Query checks it again, and knows
  /// alone whose tenants a provider has.
  func maySee(_ subscription: String) -> Bool {
    switch self {
    case .operator, .provider: true
    case .tenant(let subscriptions): subscriptions.contains(subscription)
    case .reporter: false
    }
  }

  /// Throws where something is reported for a source that is not this caller's. Sources are compared byte for byte.
  func requireSources(_ sources: some Sequence<String>) throws(HTTPProblem) {
    switch self {
    case .operator: return
    case .tenant, .provider: throw .forbidden(self)
    case .reporter(let own):
      let own = Set(own.lazy.map { ExactText($0) })
      if let foreign = sources.first(where: { !own.contains(ExactText($0)) }) {
        throw .foreignSource(foreign)
      }
    }
  }
}
