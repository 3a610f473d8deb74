internal import HTTPTypes
internal import StackmeterCore

extension GatewayRequest {
  /// The request's own URL with other parameters, without scheme and host: a reference that goes the way that the
  /// request came (RFC 8288, section 3.1).
  func next(_ parameters: [String: String]) -> String {
    let kept = query.split(separator: "&").filter { item in
      let name = item.prefix { $0 != "=" }
      return parameters[percentDecoded(name, plusIsSpace: true) ?? ""] == nil
    }
    let added = parameters.sorted { $0.key < $1.key }.map {
      "\($0.key)=\(percentEncoded($0.value))"[...]
    }
    return "\(path)?\((kept + added).joined(separator: "&"))"
  }
}

extension Reply {
  /// With a link to the next page, where there is one.
  func linked(_ next: String?) -> Reply {
    guard let next else { return self }
    var reply = self
    reply.headers[.link] = "<\(next)>; rel=\"next\""
    return reply
  }

  /// Lasting where it is about closed windows only, and the caller always sees the same of them.
  func lasting(_ isClosed: Bool, for caller: Caller) -> Reply {
    var reply = self
    reply.isLasting = isClosed && caller.seesTheSameForEver
    return reply
  }
}

extension Caller {
  /// Whose tenants a provider has, and when, the operator may change at any time.
  var seesTheSameForEver: Bool {
    switch self {
    case .operator, .tenant: true
    case .provider, .reporter: false
    }
  }
}

extension HTTPField.Name {
  static let link = HTTPField.Name("Link")!
}
