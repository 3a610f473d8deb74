import AggregatorClient
import AggregatorServer
import CollectorClient
import Logging
import QueryClient
import QueryServer
import StackmeterCore
import StackmeterRPC
import StackmeterRating
import StackmeterStore
import StackmeterTesting
import Testing

/// Lends a new database.
func withBillingDatabase(
  _ engine: Engine, _ body: (UsageDatabase) async throws -> Void
) async throws {
  switch engine {
  case .sqlite:
    let directory = try TemporaryDirectory()
    try await body(.sqlite(path: "\(directory.path)/usage.sqlite", cell: "local"))
  case .postgresql:
    try await body(.postgresql(try await TestPostgreSQL.database(), cell: "local"))
  }
}

/// One quantity of usage.
struct UsedQuantity {
  var subscription = "a"
  var meter = "flat"
  var location = ""
  var uri = "/r"
  /// `2026-11-05T07`.
  let hour: String
  /// The reporting window, written alike; the usage hour where it is nil.
  var window: String?
  let quantity: String
}

func hour(_ text: String) -> Hour { Instant(parsing: "\(text):00:00Z")!.hour }

extension UsageStore {
  /// Counts usage, and closes the windows before `open`.
  func count(_ usage: [UsedQuantity], open: String) throws {
    let writer = try UsageWriter(store: self, latenessLimitDays: 60)
    let start = try position()
    let next = start.nextPosition + 1
    try writer.begin()
    var windows: [Int64: [SeriesHour: Quantity]] = [:]
    let sorted = usage.sorted { hour($0.window ?? $0.hour) < hour($1.window ?? $1.hour) }
    for used in sorted {
      let window = hour(used.window ?? used.hour)
      let series = Series(
        subscription: used.subscription, meter: used.meter,
        resource: Resource(uri: used.uri, location: used.location, tags: #"{"env":"prod"}"#))
      let new = NewSeries(series, firstWindow: window, firstPosition: start.nextPosition)
      let number = try #require(try writer.intern([new]) { _ in .sum }[0])
      let key = SeriesHour(series: number, usageHour: hour(used.hour))
      let quantity = try Quantity(parsing: used.quantity)
      windows[window.index, default: [:]][key] =
        windows[window.index, default: [:]][key, default: .zero].adding(quantity)
    }
    let openWindow = hour(open)
    // What was open is closed now, whether more was reported in it or not.
    if (Hour(index: 1)..<openWindow).contains(start.openWindow),
      windows[start.openWindow.index] == nil
    {
      windows[start.openWindow.index] = [:]
    }
    let changes = windows.sorted { $0.key < $1.key }.map { window, deltas in
      WindowChange(
        window: Hour(index: window),
        sums: deltas.sorted { $0.key < $1.key }.map { key, quantity in
          SumDelta(
            key: key, sum: quantity.attos, least: min(0, quantity.attos),
            greatest: max(0, quantity.attos), position: start.nextPosition)
        }, endPosition: window < openWindow.index ? next : nil)
    }
    _ = try writer.count(changes, from: start, in: 9, .bulk)
    try writer.commit(
      PipelinePosition(
        nextPosition: next, reportedTime: openWindow.start, openWindow: openWindow, journalID: 9))
  }

  func add(card text: String) throws {
    let card = try RateCard(parsing: Array(text.utf8))
    try put(
      rateCard: StoredRateCard(
        name: card.name, version: Int64(card.version), effective: card.effective,
        currency: card.currency.code, text: Array(text.utf8)), text: Array(text.utf8))
  }
}

/// A card with each form of prices.
let pricesText = """
  card standard
  version 1
  effective 2026-11-01
  currency EUR
  group friends
    owner friend
    discount 50%
  meter flat
    rate
      price 0.5
    rate in west
      price 1
  meter tiered
    rate
      graduated
        up-to 100 0.01
        beyond 0.003
      included 10
  meter bulk
    rate
      volume
        up-to 50 2
        beyond 1
      minimum 30.00
  """

/// The services that bill, in this process, upon one database.
struct BillingServices {
  let billing: BillingClient
  let query: QueryClient
  let store: any UsageStore
  let database: UsageDatabase
}

func withBillingServices(
  _ engine: Engine, limits: BillsLimits = BillsLimits(),
  _ body: (BillingServices) async throws -> Void
) async throws {
  try await withBillingDatabase(engine) { database in
    // A test writes between the aggregator's calls, never beside them.
    nonisolated(unsafe) let store = try database.store()
    let aggregator = try Aggregator(
      store: store, catalog: try MeterCatalog([]),
      configuration: AggregatorConfiguration(
        billing: BillingConfiguration(
          card: "standard", open: { () throws(StoreError) in try database.reader() })),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await withInProcessChannel(endpoints: [BillingEndpoint(aggregator)]) { channel in
      let key = [UInt8](repeating: 1, count: 32)
      let clock = SimulatedClock(Instant(parsing: "2026-12-03T00:00:00Z")!)
      let query = Query(
        database: database, tokenKey: key, collector: CollectorClient(channel),
        aggregator: AggregatorClient(channel), clock: clock)
      let rating = Rating(
        query, card: "standard", tokenKey: key, clock: clock, limits: limits)
      try await withInProcessChannel(endpoints: [RatingEndpoint(rating)]) { questions in
        try await body(
          BillingServices(
            billing: BillingClient(channel), query: QueryClient(questions), store: store,
            database: database))
      }
      await query.stop()
    }
  }
}
