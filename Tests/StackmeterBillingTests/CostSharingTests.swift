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

/// A cost that several subscriptions bear, through the services that divide it and show what comes of it.
@Suite(.timeLimit(.minutes(5))) struct CostSharingTests {
  private static let usage = [
    UsedQuantity(subscription: "a", hour: "2026-11-05T00", quantity: "10"),
    UsedQuantity(subscription: "b", hour: "2026-11-05T00", quantity: "20"),
    UsedQuantity(subscription: "b", meter: "gratis", hour: "2026-11-05T00", quantity: "2"),
    UsedQuantity(subscription: "c", meter: "gratis", hour: "2026-11-06T00", quantity: "1"),
    // Nothing in November: no statement, no share.
    UsedQuantity(subscription: "d", hour: "2026-12-01T00", quantity: "5"),
  ]

  private func request(
    _ amount: String = "1.00", _ reason: String = "firewall", by key: String = "equal",
    meter: String = "", weights: [ShareCostRequest.Weight] = [], payer: String = "",
    isDryRun: Bool = false
  ) -> ShareCostRequest {
    ShareCostRequest(
      period: "2026-11", amount: amount, reason: reason, by: key, meter: meter, weights: weights,
      payer: payer, isDryRun: isDryRun)
  }

  private func shares(_ response: ShareCostResponse) -> [String] {
    response.shares.map { "\($0.subscription) \($0.amount)" }
  }

  private func totals(_ services: BillingServices) async throws -> [String] {
    let closed = try await services.billing.closeStatements(
      CloseStatementsRequest(period: "2026-11", acceptsUnrated: true))
    #expect(closed.refused == [])
    return closed.closed.map { "\($0.subscription) \($0.total)" }
  }

  @Test(arguments: Engine.allCases)
  func `each key divides to the last cent, and the same cost is shared once`(engine: Engine)
    async throws
  {
    try await withBillingServices(engine) { services in
      try services.store.add(card: pricesText)
      try services.store.count(Self.usage, open: "2026-12-02T00")
      let tried = try await services.billing.shareCost(request(isDryRun: true))
      #expect(shares(tried) == ["a 0.34", "b 0.33", "c 0.33"] && !tried.isKnown)
      #expect(tried.currency == "EUR")
      for isKnown in [false, true, true] {
        let written = try await services.billing.shareCost(request())
        #expect(shares(written) == shares(tried) && written.isKnown == isKnown)
      }
      #expect(
        shares(try await services.billing.shareCost(request("-9", by: "usage", meter: "GRATIS")))
          == ["b -6.00", "c -3.00"])
      let weights = [
        ShareCostRequest.Weight(subscription: "A", weight: Quantity(3)),
        .init(subscription: "c", weight: Quantity(1)), .init(subscription: "d", weight: .max),
      ]
      #expect(
        shares(
          try await services.billing.shareCost(
            request("4", "rent", by: "weights", weights: weights))) == ["a 3.00", "c 1.00"])
      // By what the drafts come to now: 8.34, 4.33 and nothing.
      #expect(
        shares(try await services.billing.shareCost(request("12.67", "heads", by: "totals")))
          == ["a 8.34", "b 4.33"])
      let paid = try await services.billing.shareCost(request("0.05", "links", payer: "C"))
      #expect(shares(paid) == ["a 0.03", "b 0.02", "c -0.05"])
      let again = try await services.billing.shareCost(request("0.05", "links", payer: "c"))
      #expect(shares(again) == shares(paid) && again.isKnown)
      #expect(try await totals(services) == ["a 16.71", "b 8.68", "c -1.72"])
      let statement = try await services.query.statement(
        GetStatementRequest(caller: .operator, subscription: "c", period: "2026-11"))
      let text = String(decoding: statement.document, as: UTF8.self)
      for line in [
        "firewall, a share of 1.00 EUR in equal parts",
        "firewall, a share of -9.00 EUR by the usage of GRATIS",
        "rent, a share of 4.00 EUR by agreed weights", "links, handed on in equal parts",
      ] { #expect(text.contains(line), "\(line)") }
      // What was shared stays known, and nothing more is shared.
      #expect(try await services.billing.shareCost(request()).isKnown)
      let late = await #expect(throws: RPCError.self) {
        _ = try await services.billing.shareCost(request("2.00"))
      }
      #expect(late?.code == .failedPrecondition)
      #expect(late?.message.contains("has closed statements, such as 2026-000001") == true)
    }
  }

  @Test func `a request with something wrong writes nothing, and says what`() async throws {
    try await withBillingServices(.sqlite) { services in
      func refused(
        _ request: ShareCostRequest, _ code: RPCError.Code, _ text: String
      ) async {
        let error = await #expect(throws: RPCError.self) {
          _ = try await services.billing.shareCost(request)
        }
        #expect(
          error?.code == code && error?.message.contains(text) == true,
          "\(String(describing: error))")
      }
      try services.store.count(Array(Self.usage.dropLast()), open: "2026-11-30T23")
      await refused(request(), .failedPrecondition, "no version of the rate card")
      try services.store.add(card: pricesText)
      await refused(request(), .failedPrecondition, "is not over")
      try services.store.count(Array(Self.usage.suffix(1)), open: "2026-12-02T00")
      await refused(
        ShareCostRequest(period: "2026", amount: "1", reason: "r", by: "equal"), .invalidArgument,
        "period: ")
      await refused(request("0"), .invalidArgument, "amount: must not be zero")
      await refused(request("0.001"), .invalidArgument, "amount: ")
      for reason in ["", "two\nlines", String(repeating: "x", count: 256)] {
        await refused(request("1.00", reason), .invalidArgument, "reason: ")
      }
      await refused(request(by: "height"), .invalidArgument, "by: ")
      await refused(request(by: "usage"), .invalidArgument, "meter: ")
      await refused(request(meter: "flat"), .invalidArgument, "meter: ")
      await refused(request(by: "weights"), .invalidArgument, "weights: ")
      let one = ShareCostRequest.Weight(subscription: "a", weight: Quantity(1))
      await refused(request(weights: [one]), .invalidArgument, "weights: ")
      await refused(request(by: "weights", weights: [one, one]), .invalidArgument, "weights: ")
      await refused(
        request(
          by: "weights", weights: Array(repeating: one, count: ShareCostRequest.weightsMax + 1)),
        .invalidArgument, "weights")
      let nobody = ShareCostRequest.Weight(subscription: "d", weight: Quantity(1))
      await refused(
        request(by: "weights", weights: [nobody]), .failedPrecondition, "nobody has a share")
      await refused(request(payer: "d"), .failedPrecondition, "d, which is to be relieved of it")
      #expect(try await totals(services) == ["a 5.00", "b 10.00", "c 0.00"])
    }
  }

  @Test func `more bearers than may be are refused`() async throws {
    try await withBillingServices(.sqlite) { services in
      try services.store.add(card: pricesText)
      try services.store.count(Self.usage, open: "2026-12-02T00")
      let reader = try services.database.reader()
      let cards = try #require(try RateCards("standard", reader))
      let period = try #require(BillingPeriod(parsing: "2026-11"))
      var sharing = CostSharing(
        SharedCost("firewall", Money(100, cards.book.currency), by: .equal), cards, period: period,
        bearersMax: 1)
      func problem(_ id: String) throws -> BillingProblem? {
        try reader.snapshot { (reader) throws(StoreError) -> BillingProblem? in
          do throws(BillingProblem) {
            try sharing.add([Subscription(id: id, state: .unassigned)], reader)
            return nil
          } catch { return error }
        }
      }
      #expect(try problem("a") == nil)
      #expect(try problem("d") == nil)
      #expect(try problem("b") == .tooManyBearers(max: 1))
      #expect(try sharing.postings().map(\.amount) == ["1.00"])
    }
  }
}
