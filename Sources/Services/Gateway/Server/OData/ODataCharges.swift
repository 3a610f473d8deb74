internal import Crypto
internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterOData
internal import StackmeterRating
internal import StackmeterWire

/// What usage costs: the charges of closed windows, subscription by subscription, of the billing periods that a filter
/// names, else of this one and the one before.
struct ODataCharges: ODataSource {
  let query: QueryClient
  let now: Instant
  let caller: Caller
  let filter: ODataFilter?

  private static let type = ODataEntityType.charge
  /// A page has no further subscription when it has so many rows, or has asked for so many of them.
  private static let rowsMax = 500
  private static let subscriptionsMax = 50

  /// Where a page begins: the billing period, query's token within a subscription or nothing, and that subscription, or
  /// the last one that is behind the walk.
  private struct Place {
    var period: BillingPeriod
    var pageToken = ""
    var subscription = ""

    init(_ period: BillingPeriod) {
      self.period = period
    }

    init?(_ token: String) {
      let parts = token.split(separator: "~", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, let period = BillingPeriod(parsing: parts[0]) else { return nil }
      self.period = period
      pageToken = String(parts[1])
      subscription = String(parts[2])
    }

    var token: String { "\(period)~\(pageToken)~\(subscription)" }
  }

  func rows(after token: String?) async throws -> (rows: [[ODataValue]], next: String?) {
    let periods = periods
    guard var place = token.map({ Place($0) }) ?? periods.first.map({ Place($0) }) else {
      if token == nil { return ([], nil) }
      throw HTTPProblem(.badRequest, "InvalidQueryOption", "$skiptoken: is not of this service")
    }
    var rows: [[ODataValue]] = []
    for _ in 0..<ODataCharges.subscriptionsMax where rows.count < ODataCharges.rowsMax {
      if place.pageToken.isEmpty {
        guard let next = try await subscription(after: place.subscription) else {
          return (rows, periods.first { $0 > place.period }.map { Place($0).token })
        }
        place.subscription = next
      }
      let page = try await charges(place)
      rows += Self.rows(page, place.subscription, place.period)
      place.pageToken = page.nextPageToken
    }
    return (rows, place.token)
  }

  /// In their order.
  private var periods: [BillingPeriod] {
    let current = BillingPeriod(containing: now.hour.day)
    guard let named = filter?.texts(of: Self.type.index(of: "BillingPeriod")!) else {
      return [BillingPeriod(containing: Day(index: current.start.index - 1)), current]
    }
    return named.compactMap { BillingPeriod(parsing: $0) }.sorted()
  }

  /// The next one that the filter and the caller may mean.
  private func subscription(after: String) async throws -> String? {
    let named = filter?.texts(of: Self.type.index(of: "SubscriptionId")!)
    guard let named, named.count <= ListUsageRequest.filterMax else {
      return try await query.listSubscriptions(
        ListSubscriptionsRequest(caller: caller, after: after, pageSize: 1)
      ).subscriptions.first?.id
    }
    return named.filter(caller.maySee).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      .first { after.utf8.lexicographicallyPrecedes($0.utf8) }
  }

  /// None where no rate card holds yet, or a provider has none of the subscription.
  private func charges(_ place: Place) async throws -> ListChargesResponse {
    do throws(RPCError) {
      return try await query.listCharges(
        ListChargesRequest(
          caller: caller, subscription: place.subscription, period: place.period.description,
          pageSize: UInt32(ODataCharges.rowsMax), pageToken: place.pageToken,
          closedWindowsOnly: true))
    } catch {
      guard error.code == .notFound else { throw error }
      return ListChargesResponse(charges: [])
    }
  }

  private static func rows(
    _ page: ListChargesResponse, _ subscription: String, _ period: BillingPeriod
  ) -> [[ODataValue]] {
    page.charges.map { charge in
      let resource = charge.usage?.series.resource
      let rate = charge.rate
      func text(_ text: String?) -> ODataValue { text.map { .string($0) } ?? .null }
      func decimal(_ text: String) -> ODataValue {
        (try? Quantity(parsing: text)).map { .decimal($0) } ?? .null
      }
      return [
        .string(id(charge, subscription, period)), .string(period.description),
        text(page.statement.isEmpty ? nil : page.statement), .string(subscription),
        .string(charge.kind), .boolean(charge.isAdjustment), .boolean(charge.isProvisional),
        .string(charge.meter), text(rate?.meterName), text(rate?.unit), text(resource?.uri),
        text(resource?.resourceGroup), text(resource?.location), text(resource?.tags),
        charge.usage.map { .time($0.start) } ?? .null, charge.usage.map { .time($0.end) } ?? .null,
        text(rate.map { "\($0.card) \($0.version)" }), .string("\(charge.tier)"),
        decimal(charge.quantity), decimal(charge.pricedQuantity), decimal(charge.listPrice),
        decimal(charge.price), cost(charge.cost), .string(charge.cost), .string(page.currency),
      ]
    }
  }

  /// To as many digits as a decimal of the feed has.
  private static func cost(_ text: String) -> ODataValue {
    Cost(parsing: text)?.nearestQuantity.map { .decimal($0) } ?? .null
  }

  /// Of all that a charge says of itself: a charge of a closed window has the same one for ever.
  private static func id(
    _ charge: ChargeRow, _ subscription: String, _ period: BillingPeriod
  ) -> String {
    var writer = JSONWriter()
    writer.array { writer in
      writer.string(subscription)
      writer.string(period.description)
      writer.charge(charge)
    }
    return hexadecimal(SHA256.hash(data: writer.bytes).prefix(16))
  }
}
