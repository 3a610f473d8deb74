internal import StackmeterCore

extension GatewayLinks {
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
