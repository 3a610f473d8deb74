internal import HTTPTypes
internal import StackmeterCore

/// The parameters of an Azure path, as its clients write them: names without regard to ASCII case, an empty value
/// for an absent one, and what nobody knows passed over.
struct AzureParameters {
  /// In the order of the request, for links that repeat it.
  let items: [QueryParameters.Item]
  private let values: [String: [String]]
  private let declared: Set<String>

  /// Every Azure path needs an `api-version`; which one it is makes no difference.
  init(_ request: GatewayRequest) throws(HTTPProblem) {
    items = try QueryParameters(parsing: request.query).items
    var values: [String: [String]] = [:]
    for item in items where !item.value.isEmpty {
      let name = item.name.asciiLowercased
      // Some clients add a parameter to a link that has it already.
      if values[name]?.contains(item.value) != true { values[name, default: []].append(item.value) }
    }
    self.values = values
    declared = Set(request.declared.map(\.name.asciiLowercased))
    guard try text("api-version") != nil else {
      throw HTTPProblem(
        .badRequest, "NoApiVersion",
        "the api-version is missing; add api-version=2015-06-01-preview")
    }
  }

  /// Nil where it is absent or empty. What stands twice must say the same.
  func text(_ name: String) throws(HTTPProblem) -> String? {
    precondition(
      declared.contains(name.asciiLowercased), "the parameter \(name) is declared by its route")
    guard let all = values[name.asciiLowercased] else { return nil }
    guard all.count == 1 else { throw .invalid(name, "stands more than once") }
    return all[0]
  }

  /// True or false in any of the spellings that scripts and serializers have for them.
  func flag(_ name: String) throws(HTTPProblem) -> Bool? {
    switch try text(name)?.asciiLowercased {
    case nil: return nil
    case "true", "t", "1", "yes", "y", "on", "$true": return true
    case "false", "f", "0", "no", "n", "off", "$false": return false
    default: throw .invalid(name, "must be true or false")
    }
  }
}
