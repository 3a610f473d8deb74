import AggregatorClient
import CollectorClient
import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import QueryServer

/// Query's answers about rate cards, upon both databases.
@Suite(.timeLimit(.minutes(2))) struct RatingTests {
  private func withQuery(
    _ engine: Engine, _ body: (QueryClient, any UsageStore) async throws -> Void
  ) async throws {
    let directory = try TemporaryDirectory()
    let database: UsageDatabase =
      switch engine {
      case .sqlite: .sqlite(path: "\(directory.path)/usage.sqlite", cell: "local")
      case .postgresql: .postgresql(try await TestPostgreSQL.database(), cell: "local")
      }
    let store = try database.store()
    try await withInProcessChannel(endpoints: []) { neighbour in
      let clock = SimulatedClock(Instant(parsing: "2026-11-15T00:00:00Z")!)
      let query = Query(
        database: database, tokenKey: Array(repeating: 1, count: 32),
        collector: CollectorClient(neighbour), aggregator: AggregatorClient(neighbour),
        clock: clock)
      let rating = Rating(
        query, card: "standard", tokenKey: Array(repeating: 1, count: 32), clock: clock)
      try await withInProcessChannel(endpoints: [RatingEndpoint(rating)]) { channel in
        try await body(QueryClient(channel), store)
      }
      await query.stop()
    }
  }

  private func add(
    _ store: any UsageStore, _ name: String, _ version: Int64, _ day: String
  ) throws {
    let text = Array("\(name) \(version)".utf8)
    try store.put(
      rateCard: StoredRateCard(
        name: name, version: version, effective: Day(parsing: day)!, currency: "EUR", text: text),
      text: text)
  }

  @Test(arguments: Engine.allCases)
  func `an operator sees every version, and the text of the one that holds`(engine: Engine)
    async throws
  {
    try await withQuery(engine) { query, store in
      func text(_ name: String = "", _ version: UInt32 = 0) async throws -> String {
        let found = try await query.rateCard(
          GetRateCardRequest(caller: .operator, name: name, version: version))
        return String(decoding: found.text, as: UTF8.self)
      }
      let missing = await #expect(throws: RPCError.self) { _ = try await text() }
      #expect(missing?.code == .notFound)
      #expect(missing?.message.contains("there is no rate card standard") == true)
      try add(store, "standard", 3, "2026-12-01")
      // None holds yet: the first that will.
      #expect(try await text() == "standard 3")
      try add(store, "other", 1, "2026-01-01")
      #expect(try await text("other") == "other 1")
      #expect(try await text("standard", 3) == "standard 3")
      let absent = await #expect(throws: RPCError.self) { _ = try await text("standard", 1) }
      #expect(absent?.code == .notFound)
      let all = try await query.listRateCards(ListRateCardsRequest(caller: .operator))
      #expect(all.versions.map(\.reference) == ["other 1", "standard 3"])
      #expect(all.inForce == "standard")
      let one = try await query.listRateCards(
        ListRateCardsRequest(caller: .operator, name: "standard"))
      #expect(one.versions.map(\.byteCount) == [10])
      #expect(one.versions[0].hash.count == 32)
    }
  }

  @Test func `the version that holds today is the one that is shown`() async throws {
    try await withQuery(.sqlite) { query, store in
      for (version, day) in [(1, "2026-10-01"), (2, "2026-11-15"), (3, "2026-11-16")] {
        try add(store, "standard", Int64(version), day)
      }
      let found = try await query.rateCard(GetRateCardRequest(caller: .operator))
      #expect(found.version.version == 2)
    }
  }

  @Test func `nobody but an operator sees a rate card`() async throws {
    try await withQuery(.sqlite) { query, store in
      try add(store, "standard", 1, "2026-10-01")
      for caller in [
        Caller.tenant(subscriptions: ["a"]), .provider("p"), .reporter(sources: ["s"]),
      ] {
        let list = await #expect(throws: RPCError.self) {
          _ = try await query.listRateCards(ListRateCardsRequest(caller: caller))
        }
        let show = await #expect(throws: RPCError.self) {
          _ = try await query.rateCard(GetRateCardRequest(caller: caller))
        }
        #expect(list?.code == .permissionDenied && show?.code == .permissionDenied)
      }
    }
  }
}
