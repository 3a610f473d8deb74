/// In which form a client takes an answer. OData JSON Format 4.0, section 3; OData Protocol 4.0, sections 8.1 and 8.2.
package struct ODataFormat: Hashable, Sendable {
  /// Without annotations, but for the count and the next link.
  package private(set) var isWithoutMetadata = false
  /// Decimals are texts, because numbers are floats to the client.
  package private(set) var decimalsAreTexts = false

  /// `format` is `$format`, which goes before `accept`; `maxVersion` is `OData-MaxVersion`.
  package init(
    accept: String?, format: String?, maxVersion: String?
  ) throws(ODataError) {
    try ODataFormat.check(maxVersion)
    if let format {
      let range = format == "json" ? "application/json" : format
      guard let chosen = ODataFormat(range: range) else {
        throw ODataError(.notAcceptable, "$format", "must be json or application/json")
      }
      self = chosen
      return
    }
    let ranges = (accept ?? "*/*").split(separator: ",").map(String.init)
    let known = ranges.compactMap { range in
      ODataFormat(range: range).map { ($0, ODataFormat.weight(range)) }
    }.filter { $0.1 > 0 }
    // The first of those that the client likes best.
    guard let most = known.map(\.1).max(), let chosen = known.first(where: { $0.1 == most }) else {
      throw ODataError(
        .notAcceptable, "Accept",
        "entities are application/json with odata.metadata=minimal or odata.metadata=none")
    }
    self = chosen.0
  }

  /// For the metadata document, which is XML.
  package static func checkMetadata(
    accept: String?, format: String?, maxVersion: String?
  ) throws(ODataError) {
    try check(maxVersion)
    if let format, format != "xml", format != "application/xml" {
      throw ODataError(.notAcceptable, "$format", "the metadata document is application/xml")
    }
    let isTaken =
      format != nil
      || (accept ?? "*/*").split(separator: ",").contains { range in
        ["*/*", "application/*", "application/xml"].contains(mediaType(String(range)))
          && weight(String(range)) > 0
      }
    guard isTaken else {
      throw ODataError(.notAcceptable, "Accept", "the metadata document is application/xml")
    }
  }

  private static func check(_ maxVersion: String?) throws(ODataError) {
    guard let maxVersion else { return }
    let parts = maxVersion.split(separator: ".").map { Int($0) }
    guard let major = parts.first ?? nil, major >= 4 else {
      throw ODataError(.invalid, "OData-MaxVersion", "must be at least \(ODataService.version)")
    }
  }

  /// Nil for what is not JSON as it is written here.
  private init?(range: String) {
    guard
      ["*/*", "application/*", "application/json"].contains(ODataFormat.mediaType(range))
    else { return nil }
    for parameter in range.split(separator: ";").dropFirst() {
      let parts = parameter.filter { $0 != " " && $0 != "\"" }.split(separator: "=")
      guard parts.count == 2 else { continue }
      switch (parts[0].lowercased(), parts[1].lowercased()) {
      case ("odata.metadata", "minimal"): isWithoutMetadata = false
      case ("odata.metadata", "none"): isWithoutMetadata = true
      case ("odata.metadata", _), ("odata.streaming", "always"): return nil
      case ("ieee754compatible", "true"): decimalsAreTexts = true
      default: break
      }
    }
  }

  private static func mediaType(_ range: String) -> String {
    String(range.prefix { $0 != ";" }.filter { $0 != " " }).lowercased()
  }

  /// In thousandths; 1,000 where nothing is said.
  private static func weight(_ range: String) -> Int {
    for parameter in range.split(separator: ";").dropFirst() {
      let text = parameter.filter { $0 != " " }
      guard text.hasPrefix("q=") || text.hasPrefix("Q=") else { continue }
      let parts = text.dropFirst(2).split(separator: ".", omittingEmptySubsequences: false)
      guard let whole = Int(parts.first ?? ""), (0...1).contains(whole), parts.count <= 2 else {
        return 0
      }
      let digits = parts.count == 2 ? String(parts[1].prefix(3)) : ""
      let thousandths = Int((digits + "000").prefix(3)) ?? 0
      return whole == 1 ? 1000 : thousandths
    }
    return 1000
  }

  package var contentType: String {
    "application/json;odata.metadata=\(isWithoutMetadata ? "none" : "minimal")"
      + (decimalsAreTexts ? ";IEEE754Compatible=true" : "") + ";charset=utf-8"
  }
}
