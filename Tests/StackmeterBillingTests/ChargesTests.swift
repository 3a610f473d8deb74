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

/// Charges from stored usage: their pages, what they tie to, and who sees them.
@Suite(.timeLimit(.minutes(5))) struct ChargesTests {
  /// Usage of two months with late rows and corrections.
  private func usage(_ random: inout SeededRandom) -> [UsedQuantity] {
    (0..<400).map { _ in
      let day = 1 + Int(random.next() % 60)
      let (month, date) = day > 30 ? (12, day - 30) : (11, day)
      func text(_ date: Int, _ month: Int, _ hour: Int) -> String {
        let digits = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
        return "2026-\(digits(month))-\(digits(date))T\(digits(hour))"
      }
      let hour = Int(random.next() % 20)
      let isLate = random.next() % 4 == 0
      return UsedQuantity(
        meter: ["flat", "tiered", "bulk", "gratis"][Int(random.next() % 4)],
        location: random.next() % 3 == 0 ? "west" : "", uri: "/\(random.next() % 3)",
        hour: text(date, month, hour),
        window: isLate
          ? text(min(date + 3, 30), month == 11 && date > 20 ? 12 : month, hour + 1) : nil,
        quantity: "\(Int(random.next() % 30) - 5).\(random.next() % 100)")
    }
  }

  private func charges(
    _ services: BillingServices, _ period: String, caller: Caller = .operator, pageSize: UInt32 = 0,
    closedOnly: Bool = false
  ) async throws -> [ChargeRow] {
    var request = ListChargesRequest(
      caller: caller, subscription: "A", period: period, pageSize: pageSize,
      closedWindowsOnly: closedOnly)
    var all: [ChargeRow] = []
    repeat {
      let page = try await services.query.listCharges(request)
      if pageSize > 0 { #expect(page.charges.count <= pageSize) }
      all += page.charges
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return all
  }

  private func sum(_ charges: [ChargeRow]) throws -> Cost {
    try charges.reduce(.zero) { sum, charge in
      let cost = try #require(Cost(parsing: charge.cost))
      return try #require(sum.adding(cost))
    }
  }

  /// The sum of the exact costs of a statement's lines.
  private func exact(_ services: BillingServices, _ period: String) async throws -> Cost {
    let found = try await services.query.statement(
      GetStatementRequest(caller: .operator, subscription: "a", period: period))
    let text = String(decoding: found.document, as: UTF8.self)
    return try text.split(separator: #""exactCost":""#).dropFirst().reduce(.zero) { sum, part in
      let cost = try #require(Cost(parsing: String(part.prefix { $0 != "\"" })))
      return try #require(sum.adding(cost))
    }
  }

  @Test(arguments: Engine.allCases)
  func `charges sum to their statement, a draft and a closed one, whatever the pages`(
    engine: Engine
  ) async throws {
    try await withBillingServices(engine) { services in
      var random = try SeededRandom()
      try services.store.add(card: pricesText)
      let all = usage(&random)
      let early = all.filter { hour($0.window ?? $0.hour) < hour("2026-12-06T00") }
      let open = UsedQuantity(hour: "2026-11-30T10", window: "2026-12-05T22", quantity: "3")
      try services.store.count(early + [open], open: "2026-12-05T22")
      let note: Comment = "STACKMETER_SEED=\(random.seed)"
      let draft = try await charges(services, "2026-11")
      let drafted = try await exact(services, "2026-11")
      #expect(try sum(draft) == drafted, note)
      #expect(try await charges(services, "2026-11", pageSize: 7) == draft, note)
      #expect(draft.contains { $0.kind == "unrated" && $0.rate == nil })
      let closedOnly = try await charges(services, "2026-11", closedOnly: true)
      #expect(Array(draft.prefix(closedOnly.count)) == closedOnly, note)
      #expect(draft.count > closedOnly.count)
      #expect(draft.dropFirst(closedOnly.count).allSatisfy { $0.isProvisional })

      // The open window is closed; nothing may be open when statements are.
      try services.store.count([], open: "2026-12-06T00")
      let closed = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-11", acceptsUnrated: true))
      #expect(closed.closed.count == 1, "\(closed.refused)")
      let november = try await charges(services, "2026-11", pageSize: 13)
      let billed = try await exact(services, "2026-11")
      #expect(try sum(november) == billed, note)
      let late = all.filter { hour($0.window ?? $0.hour) >= hour("2026-12-06T00") }
      try services.store.count(late, open: "2027-01-02T00")
      #expect(try await charges(services, "2026-11") == november, note)
      let december = try await charges(services, "2026-12", pageSize: 1000)
      #expect(december.contains { $0.isAdjustment }, note)
      let next = try await exact(services, "2026-12")
      #expect(try sum(december) == next, note)
      let last = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-12", acceptsUnrated: true))
      #expect(last.closed.count == 1)
      #expect(
        try await charges(services, "2026-12")
          == december.map { charge in
            var closed = charge
            closed.isProvisional = false
            return closed
          }, note)

      // Together they are what rating all usage in one go makes of it.
      let together = try #require(try sum(november).adding(sum(december)))
      let reader = try services.database.reader()
      let cards = try #require(try RateCards("standard", reader))
      var state = RatingState()
      var whole = Cost.zero
      let rows = try reader.aggregates(
        windows: Hour(index: 0)..<hour("2027-02-01T00"), granularity: .hourly,
        filter: UsageFilter(subscriptions: ["a"], meters: nil), after: nil, limit: 10_000
      ).aggregates
      try Rater(cards.book).rate(
        rows, carried: &state, settled: BillingPeriod(parsing: "2026-12")
      ) { whole = whole.adding($0.cost)! }
      #expect(whole == together, note)
    }
  }

  @Test(arguments: Engine.allCases)
  func `everybody sees only their own charges and statements`(engine: Engine) async throws {
    try await withBillingServices(engine) { services in
      try services.store.add(card: pricesText)
      try services.store.replaceDirectory(
        try SubscriptionDirectory(
          json: Array(
            """
            {"subscriptions":[{"id":"a","providers":[
              {"provider":"p","from":"2026-11-10T00:00:00Z","until":"2026-11-20T00:00:00Z"}]}]}
            """.utf8)))
      try services.store.count(
        ["05", "15", "25"].flatMap { day in
          ["a", "b"].map {
            UsedQuantity(subscription: $0, meter: "bulk", hour: "2026-11-\(day)T01", quantity: "1")
          }
        }, open: "2026-12-01T00")
      func days(_ caller: Caller, _ subscription: String = "a") async throws -> [String] {
        try await services.query.listCharges(
          ListChargesRequest(caller: caller, subscription: subscription, period: "2026-11")
        ).charges.map { $0.usage.map { "\($0.start.hour.day)" } ?? $0.kind }
      }
      let all = ["2026-11-05", "2026-11-15", "2026-11-25", "minimum"]
      #expect(try await days(.operator) == all)
      #expect(try await days(.tenant(subscriptions: ["a"])) == all)
      // A provider sees the usage of its tenancy, and what is of the whole period only where that is its own.
      #expect(try await days(.provider("p")) == ["2026-11-15"])
      _ = try await services.billing.closeStatements(CloseStatementsRequest(period: "2026-11"))
      func numbers(_ caller: Caller, _ names: [String] = []) async throws -> [String] {
        try await services.query.listStatements(
          ListStatementsRequest(caller: caller, subscriptions: names)
        ).statements.map(\.subscription)
      }
      #expect(try await numbers(.operator) == ["a", "b"])
      #expect(try await numbers(.operator, ["B"]) == ["b"])
      #expect(try await numbers(.tenant(subscriptions: ["b"])) == ["b"])
      #expect(try await numbers(.tenant(subscriptions: ["b"]), ["a"]) == [])
      #expect(try await numbers(.provider("p")) == [])
      #expect(try await numbers(.reporter(sources: ["s"])) == [])

      for caller in [
        Caller.tenant(subscriptions: ["b"]), .provider("p"), .provider("nobody"),
        .reporter(sources: ["s"]),
      ] {
        var told: Set<String> = []
        for request in [
          GetStatementRequest(caller: caller, number: "2026-000001"),
          GetStatementRequest(caller: caller, number: "2026-000009"),
        ] {
          let error = await #expect(throws: RPCError.self) {
            _ = try await services.query.statement(request)
          }
          #expect(error?.code == .notFound)
          told.insert(error?.message.replacing(request.number, with: "X") ?? "")
        }
        #expect(told.count == 1)
        let draft = await #expect(throws: RPCError.self) {
          _ = try await services.query.statement(
            GetStatementRequest(caller: caller, subscription: "a", period: "2026-11"))
        }
        #expect(draft?.code == .notFound)
        guard caller != .provider("p") else { continue }
        let charges = await #expect(throws: RPCError.self) { _ = try await days(caller) }
        #expect(charges?.code == .notFound)
      }
      #expect(
        try await services.query.statement(
          GetStatementRequest(caller: .tenant(subscriptions: ["a"]), number: "2026-000001")
        ).statement?.subscription == "a")
    }
  }

  @Test func `a page token is good for its caller and question only`() async throws {
    try await withBillingServices(.sqlite) { services in
      try services.store.add(card: pricesText)
      try services.store.count(
        (10..<20).map { UsedQuantity(hour: "2026-11-\($0)T00", quantity: "1") },
        open: "2026-12-01T00")
      var request = ListChargesRequest(
        caller: .operator, subscription: "a", period: "2026-11", pageSize: 3)
      let first = try await services.query.listCharges(request)
      request.pageToken = first.nextPageToken
      func code(_ request: ListChargesRequest) async -> RPCError.Code? {
        await #expect(throws: RPCError.self) { _ = try await services.query.listCharges(request) }?
          .code
      }
      for change in [
        { $0.caller = .tenant(subscriptions: ["a"]) }, { $0.period = "2026-12" },
        { $0.closedWindowsOnly = true }, { $0.pageToken = "AAAA" },
      ] as [(inout ListChargesRequest) -> Void] {
        var other = request
        change(&other)
        #expect(await code(other) == .invalidArgument)
      }
      var wrong = request
      wrong.pageToken = ""
      wrong.pageSize = 1001
      #expect(await code(wrong) == .invalidArgument)
      wrong.pageSize = 0
      wrong.period = "2026-11-01"
      #expect(await code(wrong) == .invalidArgument)
      // Closed meanwhile, the charges are those of the statement.
      _ = try await services.billing.closeStatements(CloseStatementsRequest(period: "2026-11"))
      #expect(await code(request) == .invalidArgument)
    }
  }

  @Test func `more aggregates than are rated at once are refused, and the statement has them`()
    async throws
  {
    try await withBillingServices(.sqlite) { services in
      try services.store.add(card: pricesText)
      try services.store.count(
        (10..<20).map { UsedQuantity(hour: "2026-11-\($0)T00", quantity: "1") },
        open: "2026-12-01T00")
      let reader = try services.database.reader()
      let cards = try #require(try RateCards("standard", reader))
      func count(_ most: Int) throws -> Int {
        let list = try ChargeList(
          cards, subscription: Subscription(id: "a", state: .active),
          period: try #require(BillingPeriod(parsing: "2026-11")), reader, openWindow: nil,
          closedOnly: false, aggregatesMax: most)
        var count = 0
        try list.visit { _, _ in count += 1 }
        return count
      }
      #expect(try count(10) == 10)
      #expect(throws: ChargeList.Problem.tooMany) { try count(9) }
      #expect(ChargeList.aggregatesMax == 250_000)
    }
  }
}
