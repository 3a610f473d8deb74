internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterOData
internal import StackmeterWire

/// The catalog of meters, in one page.
struct ODataMeters: ODataSource {
  let query: QueryClient

  func rows(after token: String?) async throws -> (rows: [[ODataValue]], next: String?) {
    guard token == nil else {
      throw HTTPProblem(.badRequest, "InvalidQueryOption", "$skiptoken: is not of this service")
    }
    return (try await query.listMeters().map(Self.row), nil)
  }

  private static func row(_ meter: Meter) -> [ODataValue] {
    [
      .string(meter.id), .string(meter.name), .string(meter.unit), .string(meter.category),
      .string(meter.resourceProvider), .boolean(meter.isBillable),
    ]
  }
}

/// The subscriptions that a caller may see, by id.
struct ODataSubscriptions: ODataSource {
  let query: QueryClient
  let caller: Caller
  /// Those that a filter names; nil for all.
  private let ids: [String]?

  init(query: QueryClient, caller: Caller, _ filter: ODataFilter?) {
    self.query = query
    self.caller = caller
    let named = filter?.texts(of: ODataEntityType.subscription.index(of: "Id")!)
    ids = named.flatMap {
      $0.count <= ListUsageRequest.filterMax ? $0.filter(caller.maySee).sorted() : nil
    }
  }

  /// The token is the id of the last one.
  func rows(after token: String?) async throws -> (rows: [[ODataValue]], next: String?) {
    if let ids, ids.isEmpty { return ([], nil) }
    let page = try await query.listSubscriptions(
      ListSubscriptionsRequest(
        caller: caller, ids: ids ?? [], after: token ?? "", pageSize: 0))
    return (
      page.subscriptions.map(Self.row), page.nextAfter.isEmpty ? nil : page.nextAfter
    )
  }

  private static func row(_ subscription: Subscription) -> [ODataValue] {
    [
      .string(subscription.id), .string(subscription.displayName), .string(subscription.owner),
      .string(subscription.costCenter), .string(subscription.tags),
      .string(subscription.state.rawValue),
    ]
  }
}
