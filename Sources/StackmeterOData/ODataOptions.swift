/// The system query options of a request for an entity set. OData URL Conventions 4.0, section 5.1.
package struct ODataOptions: Hashable, Sendable {
  package static let topMax = 1_000_000_000
  package static let tokenBytesMax = 4096

  package private(set) var filter: ODataFilter?
  /// The properties that rows have, in the order of the type; all where it is nil.
  package private(set) var selected: [Int]?
  /// How many rows are wanted; nil for all.
  package private(set) var top: Int?
  /// Where the page before ended.
  package private(set) var skipToken: String?
  /// Of `$format`.
  package private(set) var format: String?

  /// What this feed reads. Whatever else begins with a `$` is OData, and unsupported.
  package static let names = ["$filter", "$select", "$top", "$skiptoken", "$format", "$count"]

  package init(
    _ parameters: [(name: String, value: String)], of type: ODataEntityType
  ) throws(ODataError) {
    var seen: Set<String> = []
    for (name, value) in parameters {
      guard seen.insert(name).inserted else { throw ODataError(.invalid, name, "stands twice") }
      switch name {
      case "$filter": filter = try ODataFilter(parsing: value, of: type)
      case "$select": selected = try ODataOptions.selected(value, of: type)
      case "$top":
        guard value.utf8.first != UInt8(ascii: "+"), let count = Int(value),
          (0...ODataOptions.topMax).contains(count)
        else {
          throw ODataError(
            .invalid, name, "must be a whole number from 0 to \(ODataOptions.topMax)")
        }
        top = count
      case "$skiptoken":
        guard !value.isEmpty, value.utf8.count <= ODataOptions.tokenBytesMax else {
          throw ODataError(.invalid, name, "is not of this service")
        }
        skipToken = value
      case "$format": format = value
      case "$count":
        guard value == "false" else {
          throw value == "true"
            ? ODataError(.unsupported, name, "only false is supported: rows are not counted ahead")
            : ODataError(.invalid, name, "must be true or false")
        }
      case let name where name.hasPrefix("$"):
        throw ODataError(
          .unsupported, name,
          "is not supported; there are \(ODataOptions.names.joined(separator: ", "))")
      default:
        throw ODataError(
          .invalid, name,
          "unknown parameter; known are \(ODataOptions.names.joined(separator: ", "))")
      }
    }
  }

  private static func selected(
    _ text: String, of type: ODataEntityType
  ) throws(ODataError) -> [Int]? {
    var indices: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let name = part.drop { $0 == " " }.prefix { $0 != " " }
      if name == "*" { return nil }
      guard let index = type.index(of: String(name)) else {
        let names = type.properties.map(\.name).joined(separator: ", ")
        throw ODataError(
          name.contains("/") ? .unsupported : .invalid, "$select",
          "there is no property \(name.prefix(64)) among \(names)")
      }
      indices.insert(index)
    }
    return indices.sorted()
  }
}
