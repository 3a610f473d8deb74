import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRating
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

/// What usage costs a subscription, as price lists show it.
@Suite(.timeLimit(.minutes(1))) struct RatesTests {
  private static let card = """
    card standard
    version 1
    effective 2026-11-01
    currency EUR
    group friends
      owner friend
      discount 50%
      commitment 1000.00 discount 12.5%
    meter flat
      rate
        price 0.008
      rate in west
        price 3
      rate for friends in East
        price 1
    meter shifted
      rate
        graduated per 10000
          up-to 20 1
          up-to 100 0.0036
          beyond 0.002
        included 50
    meter kept
      rate
        volume per started 10
          up-to 20 1
          beyond 0.5
        included 50 before-tiers
    """

  private func rows(
    _ services: BillingServices, _ subscription: String, caller: Caller = .operator
  ) async throws -> [String] {
    try await services.query.listRates(
      ListRatesRequest(caller: caller, subscription: subscription)
    ).rates.map { rate in
      let steps = zip(rate.from, rate.prices).map { "\($0):\($1)" }.joined(separator: " ")
      return "\(rate.meter) \(rate.location) \(rate.included) \(steps)"
        + (rate.isVolume ? " volume" : "")
        + (rate.startedPackage.isEmpty ? "" : " started \(rate.startedPackage)")
    }
  }

  @Test(arguments: Engine.allCases)
  func `rates are those of the subscription's group, behind what is included`(engine: Engine)
    async throws
  {
    try await withBillingServices(engine) { services in
      let missing = await #expect(throws: RPCError.self) { _ = try await rows(services, "a") }
      #expect(missing?.code == .notFound)
      try services.store.add(card: Self.card)
      try services.store.replaceDirectory(
        try SubscriptionDirectory(
          json: Array(
            """
            {"subscriptions":[{"id":"a"},{"id":"f","owner":"friend","providers":[
              {"provider":"past","until":"2026-12-01T00:00:00Z"},{"provider":"now","from":"2026-12-01T00:00:00Z"}]}]}
            """.utf8)))
      #expect(
        try await rows(services, "A") == [
          "flat  0 0:0.008", "flat west 0 0:3",
          "shifted  50 0:0.00000036 50:0.0000002", "kept  50 0:1 20:0.5 volume started 10",
        ])
      let friends = [
        "flat  0 0:0.004", "flat East 0 0:1", "flat west 0 0:1.5",
        "shifted  50 0:0.00000018 50:0.0000001", "kept  50 0:0.5 20:0.25 volume started 10",
      ]
      #expect(try await rows(services, "f") == friends)
      let answer = try await services.query.listRates(
        ListRatesRequest(caller: .operator, subscription: "f"))
      #expect(answer.commitment == "1000.00" && answer.commitmentDiscount == "12.5")
      #expect(answer.card == "standard" && answer.currency == "EUR" && answer.nextAfter == 0)
      // A provider sees them while the subscription is its tenant.
      #expect(try await rows(services, "f", caller: .provider("now")) == friends)
      for caller in [
        Caller.provider("past"), .tenant(subscriptions: ["a"]), .reporter(sources: ["s"]),
      ] {
        let hidden = await #expect(throws: RPCError.self) {
          _ = try await rows(services, "f", caller: caller)
        }
        #expect(hidden?.code == .notFound)
      }
    }
  }

  @Test func `many rates come page by page`() async throws {
    try await withBillingServices(.sqlite) { services in
      let head = "card standard\nversion 1\neffective 2026-11-01\ncurrency EUR\n"
      try services.store.add(
        card: head + (0..<2500).map { "meter m\($0)\n  rate\n    price 1\n" }.joined())
      var request = ListRatesRequest(caller: .operator, subscription: "a")
      var meters: [String] = []
      repeat {
        let page = try await services.query.listRates(request)
        #expect(page.rates.count <= ListRatesRequest.pageSizeMax)
        meters += page.rates.map(\.meter)
        request.after = page.nextAfter
      } while request.after > 0
      #expect(meters == (0..<2500).map { "m\($0)" })
    }
  }
}
