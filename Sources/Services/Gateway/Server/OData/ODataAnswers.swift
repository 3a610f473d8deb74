internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterOData
internal import StackmeterWire

/// `/odata/v4`: usage, meters and subscriptions for Excel, Power BI and whatever else reads OData 4.0.
///
/// Every row that a caller sees here is one that query gives them elsewhere; this only asks, narrows down and writes.
struct ODataAnswers: Sendable {
  static let root = "/odata/v4"

  let query: QueryClient
  let meters: MeterNames
  let clock: any WallClock
  let links: GatewayLinks

  var routes: [Route] {
    [
      Route(.get, "\(Self.root)", .caller, .odataService, document).unaudited,
      Route(.get, "\(Self.root)/$metadata", .caller, .odataMetadata, metadata).unaudited,
    ]
      + ODataSet.allCases.map { set in
        let route = Route(.get, "\(Self.root)/\(set.set.name)", .caller, .odata(set)) { request in
          try await rows(of: set, request)
        }
        return set == .meters ? route.unaudited : route
      }
  }

  private func document(_ request: GatewayRequest) throws -> Reply {
    let items = try QueryParameters(parsing: request.query).items
    let format = try namingTarget { () throws(ODataError) in
      try ODataFormat(
        accept: request.head.headerFields[.accept], format: try namedFormat(items),
        maxVersion: request.head.headerFields[.odataMaxVersion])
    }
    return Reply(.ok, ODataSet.service.document(root: root(request)), type: format.contentType)
  }

  private func metadata(_ request: GatewayRequest) throws -> Reply {
    let items = try QueryParameters(parsing: request.query).items
    try namingTarget { () throws(ODataError) in
      try ODataFormat.checkMetadata(
        accept: request.head.headerFields[.accept], format: try namedFormat(items),
        maxVersion: request.head.headerFields[.odataMaxVersion])
    }
    return Reply(.ok, ODataSet.service.metadata, type: "application/xml")
  }

  /// The only parameter of the two documents.
  private func namedFormat(_ items: [QueryParameters.Item]) throws(ODataError) -> String? {
    var format: String?
    for item in items {
      guard item.name == "$format", format == nil else {
        throw ODataError(.invalid, item.name, "only $format is known here, once")
      }
      format = item.value
    }
    return format
  }

  private func root(_ request: GatewayRequest) -> String {
    "\(links.base(request))\(Self.root)"
  }

  private func rows(of set: ODataSet, _ request: GatewayRequest) async throws -> Reply {
    let items = try QueryParameters(parsing: request.query).items
    let (options, format) = try namingTarget { () throws(ODataError) in
      let options = try ODataOptions(
        items.map { (name: $0.name, value: $0.value) }, of: set.set.type)
      let format = try ODataFormat(
        accept: request.head.headerFields[.accept], format: options.format,
        maxVersion: request.head.headerFields[.odataMaxVersion])
      return (options, format)
    }
    let page = try await namingSkipToken {
      try await ODataPage(set, options, source(set, request.caller, options))
    }
    let next = page.next.map { token in
      // What is left of $top stands in the link, so that all pages together have no more.
      let left = options.top.map { "&$top=\($0 - page.rows.count)" } ?? ""
      let kept = items.filter { $0.name != "$skiptoken" && $0.name != "$top" }.map(\.raw)
      let query = (kept + ["$skiptoken=\(percentEncoded(token))\(left)"]).joined(separator: "&")
      return "\(root(request))/\(set.set.name)?\(query)"
    }
    let type = set.set.type
    let properties = options.selected ?? Array(type.properties.indices)
    var writer = JSONWriter()
    writer.object { writer in
      if !format.isWithoutMetadata {
        let names = properties.map { type.properties[$0].name }.joined(separator: ",")
        writer.member(
          "@odata.context",
          string: "\(root(request))/$metadata#\(set.set.name)"
            + (options.selected == nil ? "" : "(\(names))"))
      }
      writer.member(
        "value",
        array: { writer in
          for row in page.rows {
            writer.object { writer in
              for index in properties {
                writer.member(
                  type.properties[index].name, row[index],
                  decimalsAreTexts: format.decimalsAreTexts)
              }
            }
          }
        })
      if let next { writer.member("@odata.nextLink", string: next) }
    }
    return Reply(.ok, writer.bytes, type: format.contentType)
  }

  private func source(
    _ set: ODataSet, _ caller: Caller, _ options: ODataOptions
  ) -> any ODataSource {
    switch set {
    case .hourlyUsage: usage(.hourly, caller, options.filter)
    case .dailyUsage: usage(.daily, caller, options.filter)
    case .monthlyUsage: usage(.monthly, caller, options.filter)
    case .charges:
      ODataCharges(query: query, now: clock.now(), caller: caller, filter: options.filter)
    case .meters: ODataMeters(query: query)
    case .subscriptions: ODataSubscriptions(query: query, caller: caller, options.filter)
    }
  }

  private func usage(
    _ granularity: Granularity, _ caller: Caller, _ filter: ODataFilter?
  ) -> ODataUsage {
    ODataUsage(
      query: query, meters: meters, now: clock.now(), granularity: granularity, caller: caller,
      filter: filter)
  }
}

/// Throws what OData refuses as the gateway says it.
private func namingTarget<Answer>(
  _ body: () throws(ODataError) -> Answer
) throws(HTTPProblem) -> Answer {
  do throws(ODataError) {
    return try body()
  } catch {
    switch error.kind {
    case .invalid:
      throw HTTPProblem(.badRequest, "InvalidQueryOption", error.description)
    case .unsupported: throw HTTPProblem(.notImplemented, "NotImplemented", error.description)
    case .notAcceptable: throw HTTPProblem(.notAcceptable, "NotAcceptable", error.description)
    }
  }
}

/// A token that was given for another question, or to another caller, is query's to refuse.
private func namingSkipToken<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
  do {
    return try await body()
  } catch let error as RPCError
    where error.code == .invalidArgument && error.message.hasPrefix("page_token")
  {
    throw HTTPProblem(
      .badRequest, "InvalidQueryOption",
      "$skiptoken: was not given to this caller for this question; follow @odata.nextLink as it is")
  }
}

extension HTTPField.Name {
  static let odataMaxVersion = HTTPField.Name("OData-MaxVersion")!
  static let odataVersion = HTTPField.Name("OData-Version")!
}
