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

/// Statements from stored usage, through the services that close and show them.
@Suite(.timeLimit(.minutes(5))) struct StatementClosingTests {
  private func document(
    _ services: BillingServices, _ period: String, _ subscription: String = "a"
  ) async throws -> String {
    let found = try await services.query.statement(
      GetStatementRequest(caller: .operator, subscription: subscription, period: period))
    return String(decoding: found.document, as: UTF8.self)
  }

  /// Description and amount of each line, then the total.
  private func lines(_ document: String) throws -> [String] {
    let value = try JSONValue(parsing: Array(document.utf8), limits: .batch)
    guard case .object(let members) = value,
      case .array(let lines)? = members.first(where: { $0.name == "lines" })?.value
    else { return [] }
    func text(_ value: JSONValue, _ name: String) -> String {
      guard case .object(let members) = value else { return "" }
      return members.first { $0.name == name }?.value.string ?? ""
    }
    return lines.map { line in
      let day = text(line, "usageDay")
      return (day.isEmpty ? "" : "\(day): ")
        + "\(text(line, "description")) = \(text(line, "amount"))"
    } + ["total \(text(value, "total"))"]
  }

  @Test(arguments: Engine.allCases)
  func `a draft prices what is known, and says that it may change`(engine: Engine) async throws {
    try await withBillingServices(engine) { services in
      let early = await #expect(throws: RPCError.self) {
        _ = try await document(services, "2026-11")
      }
      #expect(early?.code == .notFound && early?.message.contains("rates apply") == true)
      try services.store.add(card: pricesText)
      try services.store.count(
        [
          UsedQuantity(hour: "2026-11-01T00", quantity: "3"),
          UsedQuantity(location: "WEST", hour: "2026-11-02T00", quantity: "1.25"),
          UsedQuantity(meter: "tiered", hour: "2026-11-03T05", quantity: "150"),
          UsedQuantity(subscription: "b", hour: "2026-11-03T05", quantity: "7"),
          UsedQuantity(meter: "gratis", hour: "2026-11-03T05", quantity: "9"),
          // Another month, and the open window.
          UsedQuantity(hour: "2026-10-31T23", quantity: "100"),
          UsedQuantity(hour: "2026-11-10T11", quantity: "1"),
        ], open: "2026-11-10T11")
      let draft = try await document(services, "2026-11")
      #expect(draft.contains(#""status":"draft","provisional":true"#))
      #expect(
        try lines(draft) == [
          "flat: 4 at 0.5 = 2.00", "flat in west: 1.25 at 1 = 1.25",
          "tiered included: 10 at 0 = 0.00", "tiered tier 1: 90 at 0.01 = 0.90",
          "tiered tier 2: 50 at 0.003 = 0.15", "total 4.30",
        ], "\(draft)")
      #expect(draft.contains(#"{"meterId":"gratis","period":"2026-11","quantity":"9"}"#))
      #expect(try lines(try await document(services, "2026-11", "nobody")) == ["total 0.00"])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a closed statement stays, and late usage is on the next one`(engine: Engine) async throws {
    try await withBillingServices(engine) { services in
      try services.store.add(card: pricesText)
      try services.store.count(
        [
          UsedQuantity(hour: "2026-11-05T00", quantity: "10"),
          UsedQuantity(meter: "bulk", hour: "2026-11-06T00", quantity: "40"),
        ], open: "2026-11-30T23")
      let open = await #expect(throws: RPCError.self) {
        _ = try await services.billing.closeStatements(CloseStatementsRequest(period: "2026-11"))
      }
      #expect(open?.code == .failedPrecondition && open?.message.contains("is not over") == true)
      try services.store.count(
        [UsedQuantity(hour: "2026-12-01T00", quantity: "2")], open: "2026-12-02T05")
      let tried = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-11", isDryRun: true))
      #expect(tried.closed.map(\.total) == ["85.00"] && tried.closed[0].number == "")
      let closed = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-11"))
      #expect(closed.refused == [])
      #expect(closed.closed.map(\.number) == ["2026-000001"])
      #expect(closed.closed[0].windows.upperBound == hour("2026-12-02T05"))
      let statement = try await document(services, "2026-11")
      #expect(statement.contains(#""number":"2026-000001","status":"closed","provisional":false"#))
      #expect(
        try lines(statement) == [
          "bulk tier 1: 40 at 2 = 80.00", "flat: 10 at 0.5 = 5.00", "total 85.00",
        ])
      // Again changes nothing.
      let again = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-11"))
      #expect(again.closed == [] && again.known == 1 && again.refused == [])

      // 60 of the volume price are 60.00: what was charged too much is given back.
      try services.store.count(
        [
          UsedQuantity(
            meter: "bulk", hour: "2026-11-07T00", window: "2026-12-02T06", quantity: "20"),
          UsedQuantity(hour: "2026-11-08T03", window: "2026-12-03T06", quantity: "-4"),
          UsedQuantity(hour: "2026-12-05T00", quantity: "1"),
        ], open: "2027-01-01T00")
      #expect(try await document(services, "2026-11") == statement)
      let next = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-12"))
      #expect(next.closed.map(\.number) == ["2026-000002"])
      #expect(next.closed[0].windows.lowerBound == hour("2026-12-02T05"))
      let adjusted = try lines(try await document(services, "2026-12"))
      #expect(
        adjusted == [
          "flat: 3 at 0.5 = 1.50", "bulk tier 1: -40 at 2 = -80.00",
          "bulk tier 2: 40 at 1 = 40.00", "2026-11-07: bulk tier 2: 20 at 1 = 20.00",
          "2026-11-08: flat: -4 at 0.5 = -2.00", "total -20.50",
        ])
      // Another year begins anew.
      try services.store.count(
        [UsedQuantity(hour: "2027-01-05T00", quantity: "1")], open: "2027-02-01T00")
      let year = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2027-01"))
      #expect(year.closed.map(\.number) == ["2027-000001"])
      let all = try await services.query.listStatements(ListStatementsRequest(caller: .operator))
      #expect(all.statements.map(\.number) == ["2026-000001", "2026-000002", "2027-000001"])
    }
  }

  @Test(arguments: Engine.allCases)
  func `what cannot be closed is told, and others are`(engine: Engine) async throws {
    try await withBillingServices(engine) { services in
      try services.store.add(card: pricesText)
      try services.store.count(
        [
          UsedQuantity(subscription: "a", hour: "2026-11-05T00", quantity: "1"),
          UsedQuantity(subscription: "b", meter: "gratis", hour: "2026-12-05T00", quantity: "1"),
          UsedQuantity(subscription: "c", hour: "2026-12-05T00", quantity: "1"),
          UsedQuantity(subscription: "d", hour: "2026-10-05T00", quantity: "1"),
        ], open: "2027-01-01T00")
      let closed = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-12"))
      #expect(closed.closed.map(\.subscription) == ["c"])
      #expect(closed.empty == 1)
      #expect(closed.refused.map(\.subscription) == ["a", "b"])
      #expect(closed.refused[0].reason.contains("has usage in 2026-11, which has no statement"))
      #expect(closed.refused[1].reason.contains("usage of gratis has no price"))
      let accepted = try await services.billing.closeStatements(
        CloseStatementsRequest(
          period: "2026-12", subscriptions: ["B", "zzz"], acceptsUnrated: true))
      #expect(accepted.closed.map(\.number) == ["2026-000002"])
      #expect(accepted.refused.map(\.subscription) == ["zzz"])
      // An earlier period of what is closed can be closed no more.
      let earlier = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-11"))
      #expect(earlier.closed.map(\.subscription) == ["a"])
      #expect(earlier.refused.map(\.subscription) == ["b", "c"])
      #expect(earlier.refused[0].reason.contains("2026-12 is closed already"))
      for period in ["2026-13", "", "2026-1"] {
        let wrong = await #expect(throws: RPCError.self) {
          _ = try await services.billing.closeStatements(CloseStatementsRequest(period: period))
        }
        #expect(wrong?.code == .invalidArgument)
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `credits and adjustments are taken up by the next statement, and once`(engine: Engine)
    async throws
  {
    try await withBillingServices(engine) { services in
      func write(
        _ kind: String, _ amount: String, expires: String? = nil, subscription: String = "a",
        reason: String = "because"
      ) async throws -> Int64 {
        try await services.billing.write(
          WritePostingRequest(
            kind: kind, subscription: subscription, amount: amount, reason: reason,
            granted: Day(parsing: "2026-11-20")!, expires: expires.map { Day(parsing: $0)! })
        ).id
      }
      try services.store.count(
        [
          UsedQuantity(hour: "2026-11-05T00", quantity: "10"),
          UsedQuantity(hour: "2026-12-05T00", quantity: "10"),
        ], open: "2027-01-01T00")
      let noCard = await #expect(throws: RPCError.self) { _ = try await write("credit", "1") }
      #expect(noCard?.code == .failedPrecondition)
      try services.store.add(card: pricesText)
      #expect(try await write("adjustment", "2.5") == 1)
      #expect(try await write("credit", "9.00") == 2)
      #expect(try await write("credit", "0.25", expires: "2026-12-01") == 3)
      for (kind, amount, subscription, reason) in [
        ("gift", "1", "a", "r"), ("credit", "-1", "a", "r"), ("credit", "0", "a", "r"),
        ("credit", "1.234", "a", "r"), ("credit", "1", "nobody", "r"), ("adjustment", "1", "a", ""),
        ("adjustment", "1", "a", String(repeating: "x", count: 257)),
        ("adjustment", "1", "a", "two\nlines"), ("adjustment", "0", "a", "r"),
      ] {
        let wrong = await #expect(throws: RPCError.self) {
          _ = try await write(kind, amount, subscription: subscription, reason: reason)
        }
        #expect(wrong?.code == .invalidArgument, "\(kind) \(amount)")
      }
      _ = try await services.billing.closeStatements(CloseStatementsRequest(period: "2026-11"))
      #expect(
        try lines(try await document(services, "2026-11")) == [
          "flat: 10 at 0.5 = 5.00", "manual: because = 2.50", "credit: because = -0.25",
          "credit: because = -7.25", "total 0.00",
        ])
      _ = try await services.billing.closeStatements(CloseStatementsRequest(period: "2026-12"))
      #expect(
        try lines(try await document(services, "2026-12"))
          == ["flat: 10 at 0.5 = 5.00", "credit: because = -1.75", "total 3.25"])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a period that sources have not reported is closed only where that is accepted`(
    engine: Engine
  ) async throws {
    try await withBillingServices(engine) { services in
      try services.store.add(card: pricesText)
      try services.store.count(
        [UsedQuantity(hour: "2026-11-05T00", quantity: "10")], open: "2026-12-01T00")
      func declare(_ names: [String], until: String) throws {
        try services.store.begin()
        try services.store.put(
          sources: names.map {
            ReportingSource(
              name: $0, cadenceSeconds: 3600, completeUntil: hour(until).start,
              heardTime: hour("2026-12-01T00").start, position: 1)
          }, removing: [])
        try services.store.commit(try services.store.position())
      }
      try declare(["late", "silent"], until: "2026-11-30T23")
      try declare(["done"], until: "2026-12-01T00")
      for isDryRun in [true, false] {
        let refused = await #expect(throws: RPCError.self) {
          _ = try await services.billing.closeStatements(
            CloseStatementsRequest(period: "2026-11", isDryRun: isDryRun))
        }
        #expect(refused?.code == .failedPrecondition)
        #expect(refused?.message.contains("it waits for late, silent, see") == true)
      }
      try declare(["silent"], until: "2026-12-01T00")
      let one = await #expect(throws: RPCError.self) {
        _ = try await services.billing.closeStatements(CloseStatementsRequest(period: "2026-11"))
      }
      #expect(one?.message.contains("it waits for late, see") == true)
      let closed = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-11", acceptsEstimated: true))
      #expect(closed.closed.map(\.total) == ["5.00"])
      // Nothing is left to close, so nobody is waited for.
      let again = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-11"))
      #expect(again.known == 1 && again.closed == [])
    }
  }

  /// The group of a period is that of when it was first rated.
  @Test(arguments: Engine.allCases)
  func `a new entry of the directory changes no period that was closed`(engine: Engine)
    async throws
  {
    try await withBillingServices(engine) { services in
      func directory(_ owner: String) throws -> SubscriptionDirectory {
        try SubscriptionDirectory(
          json: Array(#"{"subscriptions":[{"id":"a","owner":"\#(owner)"}]}"#.utf8))
      }
      try services.store.add(card: pricesText)
      try services.store.replaceDirectory(try directory("friend"))
      try services.store.count(
        [UsedQuantity(hour: "2026-11-05T00", quantity: "10")], open: "2026-12-01T00")
      _ = try await services.billing.closeStatements(CloseStatementsRequest(period: "2026-11"))
      try services.store.replaceDirectory(try directory("nobody"))
      try services.store.count(
        [
          UsedQuantity(hour: "2026-11-06T00", window: "2026-12-01T00", quantity: "2"),
          UsedQuantity(hour: "2026-12-06T00", quantity: "2"),
        ], open: "2027-01-01T00")
      #expect(
        try lines(try await document(services, "2026-11"))
          == ["flat: 10 at 0.25 (list 0.5) = 2.50", "total 2.50"])
      #expect(
        try lines(try await document(services, "2026-12")) == [
          "flat: 2 at 0.5 = 1.00", "2026-11-06: flat: 2 at 0.25 (list 0.5) = 0.50", "total 1.50",
        ])
      // Charges say the same of the closed period as its statement.
      let charges = try await services.query.listCharges(
        ListChargesRequest(caller: .operator, subscription: "a", period: "2026-11"))
      #expect(charges.charges.map(\.cost) == ["2.5"] && charges.statement == "2026-000001")
    }
  }

  @Test(arguments: Engine.allCases)
  func `many statements are closed call by call, with numbers without a gap`(engine: Engine)
    async throws
  {
    try await withBillingServices(engine) { services in
      try services.store.add(card: pricesText)
      try services.store.count(
        (0..<1005).map {
          UsedQuantity(
            subscription: "s\(10_000 + $0)", hour: "2026-11-05T00", quantity: "\($0 + 1)")
        }, open: "2026-12-01T00")
      var request = CloseStatementsRequest(period: "2026-11")
      var numbers: [String] = []
      repeat {
        let response = try await services.billing.closeStatements(request)
        #expect(response.closed.count <= BillingLimits.draftsAtOnce && response.refused == [])
        numbers += response.closed.map(\.number)
        request.after = response.nextAfter
      } while !request.after.isEmpty
      #expect(numbers.count == 1005 && Set(numbers).count == 1005)
      #expect(numbers.first == "2026-000001" && numbers.last == "2026-001005")
      var list = ListStatementsRequest(caller: .operator, period: "2026-11", pageSize: 100)
      var found: [String] = []
      repeat {
        let page = try await services.query.listStatements(list)
        found += page.statements.map(\.number)
        list.after = page.nextAfter
      } while !list.after.isEmpty
      #expect(found == numbers)
    }
  }
}
