import AggregatorClient
import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRating
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import StackmeterBilling

/// What a period would cost by a draft of a card, through the service that says it.
@Suite(.timeLimit(.minutes(5))) struct CardTrialTests {
  /// The prices of `pricesText` but for some: `flat` costs twice as much, `tiered` is gone, `gratis` gets a price.
  private static let draft = """
    card standard
    version 2
    effective 2027-03-01
    currency EUR
    group friends
      owner friend
      discount 50%
      commitment 20.00 discount 10%
    meter flat
      name "Flat hours"
      rate
        price 1
    meter gratis
      rate
        price 0.1
    meter bulk
      rate
        volume
          up-to 50 2
          beyond 1
        minimum 30.00
    """

  private func tried(
    _ services: BillingServices, _ text: String = draft, period: String = "2026-11",
    subscriptions: [String] = [], pageSize: UInt32 = 0, after: String = "",
    caller: Caller = .operator
  ) async throws -> TryRateCardResponse {
    try await services.query.tryRateCard(
      TryRateCardRequest(
        caller: caller, text: Array(text.utf8), period: period, subscriptions: subscriptions,
        pageSize: pageSize, after: after))
  }

  private func lines(_ statement: TriedStatement) -> [String] {
    statement.lines.map { line in
      "\(line.meter)|\(line.title) \(line.current)\(line.isCurrentUnrated ? "?" : "") "
        + "\(line.tried)\(line.isTriedUnrated ? "?" : "")"
    }
  }

  private static let usage = [
    UsedQuantity(hour: "2026-11-05T00", quantity: "10"),
    UsedQuantity(meter: "tiered", hour: "2026-11-05T00", quantity: "110"),
    UsedQuantity(meter: "gratis", hour: "2026-11-06T00", quantity: "50"),
    UsedQuantity(meter: "bulk", hour: "2026-11-06T00", quantity: "40"),
    UsedQuantity(subscription: "b", meter: "bulk", hour: "2026-11-06T00", quantity: "1"),
    UsedQuantity(subscription: "c", hour: "2026-11-06T00", quantity: "4"),
    // Of other periods.
    UsedQuantity(subscription: "d", hour: "2026-10-31T23", quantity: "1"),
    UsedQuantity(hour: "2026-12-01T00", quantity: "1"),
  ]

  @Test(arguments: Engine.allCases)
  func `each subscription is priced twice, and what differs is told by meter`(engine: Engine)
    async throws
  {
    try await withBillingServices(engine) { services in
      try services.store.add(card: pricesText)
      try services.store.replaceDirectory(
        try SubscriptionDirectory(
          json: Array(
            #"{"subscriptions":[{"id":"c","owner":"friend","displayName":"Friends"}]}"#.utf8)))
      try services.store.count(Self.usage, open: "2026-12-01T00")
      let page = try await tried(services)
      #expect(page.problems == [] && page.currency == "EUR" && !page.isProvisional)
      #expect(page.version?.version == 2 && page.nextAfter == "")
      #expect(page.statements.map(\.subscription) == ["a", "b", "c"])
      #expect(page.statements.map(\.current) == ["85.93", "30.00", "1.00"])
      // Half of 4.00 and the commitment's 18.00 in the place of 20.00.
      #expect(page.statements.map(\.tried) == ["95.00", "30.00", "18.00"])
      #expect(
        lines(page.statements[0]) == [
          "flat|Flat hours 5.00 10.00", "gratis|gratis 0.00? 5.00", "tiered|tiered 0.93 0.00?",
        ])
      #expect(lines(page.statements[1]) == [])
      #expect(page.statements[2].displayName == "Friends")
      #expect(
        lines(page.statements[2]) == [
          "flat|Flat hours 1.00 2.00", "|commitment: discount 0.00 -0.20",
          "|commitment: the part that was not used 0.00 16.20",
        ])
      // Closing the period changes nothing of the answer, and trying stores nothing.
      for _ in 0..<2 {
        #expect(try await tried(services) == page)
        let cards = try await services.query.listRateCards(ListRateCardsRequest(caller: .operator))
        #expect(cards.versions.map(\.version) == [1])
        _ = try await services.billing.closeStatements(
          CloseStatementsRequest(period: "2026-11", acceptsUnrated: true))
      }
      // By itself the card in force changes nothing.
      let same = try await tried(services, pricesText)
      #expect(same.statements.allSatisfy { $0.current == $0.tried && $0.lines == [] })
    }
  }

  @Test(arguments: Engine.allCases)
  func `pages are one list, and a first card is all new`(engine: Engine) async throws {
    try await withBillingServices(engine) { services in
      try services.store.count(Self.usage, open: "2026-11-20T00")
      let all = try await tried(services)
      #expect(all.isProvisional && all.statements.map(\.current) == ["0.00", "0.00", "0.00"])
      try services.store.add(card: pricesText)
      let priced = try await tried(services).statements
      var paged: [TriedStatement] = []
      var after = ""
      var pages = 0
      repeat {
        let page = try await tried(services, pageSize: 1, after: after)
        #expect(page.statements.count <= 1)
        paged += page.statements
        after = page.nextAfter
        pages += 1
      } while !after.isEmpty
      #expect(paged == priced && pages == 4)
      #expect(try await tried(services, subscriptions: ["B"]).statements == [priced[1]])
      #expect(try await tried(services, subscriptions: ["nobody"]).statements == [])
    }
  }

  @Test func `what is wrong is told, and tenants try nothing`() async throws {
    try await withBillingServices(.sqlite) { services in
      try services.store.add(card: pricesText)
      let wrong = try await tried(services, Self.draft.replacing("price 1\n", with: "price 1,5\n"))
      #expect(wrong.problems.map(\.line) == [12] && wrong.version == nil)
      let dollars = try await tried(services, Self.draft.replacing("EUR", with: "USD"))
      #expect(dollars.problems.map(\.message).first?.contains("standard is in EUR") == true)
      for (caller, code) in [
        (Caller.tenant(subscriptions: ["a"]), RPCError.Code.permissionDenied),
        (.provider("p"), .permissionDenied),
      ] {
        let refused = await #expect(throws: RPCError.self) {
          _ = try await tried(services, caller: caller)
        }
        #expect(refused?.code == code)
      }
      for (period, pageSize) in [("2026-13", 0), ("", 0), ("2026-11", 201)] {
        let refused = await #expect(throws: RPCError.self) {
          _ = try await tried(services, period: period, pageSize: UInt32(pageSize))
        }
        #expect(refused?.code == .invalidArgument)
      }
      // A message that has more than is taken does not arrive, so this is as much as a text may have and one byte.
      let long = await #expect(throws: RPCError.self) {
        _ = try await services.query.tryRateCard(
          TryRateCardRequest(
            caller: .operator,
            text: [UInt8](repeating: 0x23, count: ApplyRateCardRequest.textBytesMax + 1),
            period: "2026-11"))
      }
      #expect(long?.code == .invalidArgument)
    }
  }
}
