internal import HTTPTypes
internal import StackmeterCore

/// Absolute URLs of this gateway, as the client of a request reaches it.
struct GatewayLinks: Sendable {
  /// The authority where a request has no Host header.
  let fallbackAuthority: String

  /// The scheme and the authority. Behind a proxy the scheme is the one that the proxy was asked by, so that the
  /// next request, with its token, goes the same way.
  func base(_ request: GatewayRequest) -> String {
    let forwarded = request.head.headerFields[values: .forwardedProto]
    let scheme = request.isSecure || forwarded == ["https"] ? "https" : "http"
    return "\(scheme)://\(request.head.authority ?? fallbackAuthority)"
  }
}

extension HTTPField.Name {
  /// The scheme of the request as a proxy in front took it.
  fileprivate static let forwardedProto = Self("X-Forwarded-Proto")!
}
