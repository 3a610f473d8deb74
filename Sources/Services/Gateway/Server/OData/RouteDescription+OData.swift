internal import HTTPTypes
internal import StackmeterOData

extension RouteDescription {
  private static let format = Parameter("$format", .text, "json or a media type, before Accept.")
  private static let maxVersion = Parameter(
    "OData-MaxVersion", .text, "The newest version that the client reads; at least 4.0.")

  static let odataService = RouteDescription(
    name: "odataService", summary: "The entity sets of the OData 4.0 feed.",
    parameters: [format], headers: [maxVersion],
    answers: [
      Answer(
        .ok, "The service document.",
        .json(
          .object([
            "@odata.context": .text,
            "value": .list(.object(["name": .text, "kind": .text, "url": .text])),
          ])))
    ],
    problems: [.notAcceptable])

  static let odataMetadata = RouteDescription(
    name: "odataMetadata", summary: "What the entity sets have: the metadata document.",
    parameters: [Parameter("$format", .text, "xml or application/xml.")], headers: [maxVersion],
    answers: [
      Answer(.ok, "CSDL.", Content(type: "application/xml", schema: .anything))
    ],
    problems: [.notAcceptable])

  static func odata(_ set: ODataSet) -> RouteDescription {
    let type = set.set.type
    return RouteDescription(
      name: "odata\(set.set.name)", summary: set.set.summary,
      parameters: [
        Parameter(
          "$filter", .text,
          "Which rows, at most \(ODataFilter.bytesMax) bytes and \(ODataFilter.termsMax) parts."),
        Parameter("$select", .text, "The names of properties, with commas between them."),
        Parameter("$top", .integer(0...ODataOptions.topMax), "No more rows than these."),
        Parameter("$skiptoken", .text, "Only as @odata.nextLink has it."),
        format,
      ],
      headers: [maxVersion],
      answers: [
        Answer(
          .ok, "At most \(ODataPage.rowsMax) rows, and a link to those that follow.",
          .json(
            .object(
              ["value": .list(.members(type.properties.map { ($0.name, Schema($0)) }))],
              optional: ["@odata.context": .text, "@odata.nextLink": .text])))
      ],
      problems: [.notAcceptable, .notImplemented])
  }
}

extension Schema {
  fileprivate init(_ property: ODataProperty) {
    let value: Schema =
      switch property.kind {
      case .string: .text
      // Texts where the client asks for that.
      case .decimal: .either([.number, .quantity])
      case .time: .time
      case .boolean: .flag
      }
    self = property.isNullable ? .either([value, .null]) : value
  }
}
