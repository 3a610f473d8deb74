internal import HTTPTypes
internal import StackmeterCore

/// Absolute URLs of this gateway, as the client of a request reaches it.
struct AzureLinks: Sendable {
  /// The authority where a request has no Host header.
  let fallbackAuthority: String

  /// The scheme and the authority. Behind a proxy the scheme is the one that the proxy was asked by, so that the
  /// next request, with its token, goes the same way.
  func base(_ request: GatewayRequest) -> String {
    let forwarded = request.head.headerFields[values: .forwardedProto]
    let scheme = request.isSecure || forwarded == ["https"] ? "https" : "http"
    return "\(scheme)://\(request.head.authority ?? fallbackAuthority)"
  }

  /// The request's own URL with another token, as Azure writes it. Clients take it apart and put it together
  /// again, so it depends on no empty parameter, and a token has nothing that would have to be escaped.
  func next(
    _ request: GatewayRequest, _ parameters: AzureParameters, token: String, as name: String
  ) -> String {
    let kept = parameters.items.filter {
      $0.name.asciiLowercased != name.asciiLowercased && !$0.value.isEmpty
    }.map(\.raw)
    let query = (kept + ["\(percentEncoded(name))=\(percentEncoded(token))"]).joined(separator: "&")
    return "\(base(request))\(request.path)?\(query)"
  }
}

extension HTTPField.Name {
  /// The scheme of the request as a proxy in front took it.
  fileprivate static let forwardedProto = Self("X-Forwarded-Proto")!
}
