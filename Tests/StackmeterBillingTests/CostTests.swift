import AggregatorClient
import GRPCCore
import QueryClient
import QueryServer
import StackmeterCore
import StackmeterRating
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

/// What finance reads of many statements: FOCUS, showback, reconciliation, and the charges of a line.
@Suite(.timeLimit(.minutes(5))) struct CostTests {
  /// Usage of three subscriptions in November, of which `c` uses a meter without a price.
  private static func usage(_ random: inout SeededRandom) -> [UsedQuantity] {
    (0..<160).map { index in
      let day = 1 + Int(random.next() % 28)
      let digits = day < 10 ? "0\(day)" : "\(day)"
      let subscription = ["a", "b", "c"][index % 3]
      let meters = subscription == "c" ? ["flat", "gratis"] : ["flat", "tiered", "bulk"]
      return UsedQuantity(
        subscription: subscription, meter: meters[Int(random.next() % UInt64(meters.count))],
        location: random.next() % 3 == 0 ? "west" : "",
        uri: random.next() % 2 == 0 ? "/\(index % 5)" : "/x/resourceGroups/RG\(index % 2)/y",
        hour: "2026-11-\(digits)T\(10 + Int(random.next() % 10))",
        quantity: "\(Int(random.next() % 30)).\(random.next() % 100)")
    }
  }

  /// November's usage with `a` closed and the others drafts; late usage of `a` is on its draft of December.
  private func withUsage(
    _ engine: Engine, seed: UInt64? = nil, limits: BillsLimits = BillsLimits(),
    _ body: (BillingServices) async throws -> Void
  ) async throws {
    try await withBillingServices(engine, limits: limits) { services in
      var random = try seed.map { SeededRandom(seed: $0) } ?? SeededRandom()
      try services.store.add(card: pricesText)
      try services.store.count(Self.usage(&random), open: "2026-12-02T00")
      let closed = try await services.billing.closeStatements(
        CloseStatementsRequest(period: "2026-11", subscriptions: ["a"]))
      #expect(closed.closed.count == 1, "\(closed.refused)")
      try services.store.count(
        [UsedQuantity(hour: "2026-11-20T05", window: "2026-12-02T03", quantity: "7.25")],
        open: "2026-12-03T00")
      try await body(services)
    }
  }

  private func file(
    _ services: BillingServices, caller: Caller = .operator, subscriptions: [String] = [],
    period: String = "2026-11"
  ) async throws -> [UInt8] {
    var request = ExportFocusRequest(
      caller: caller, period: period, subscriptions: subscriptions)
    var bytes: [UInt8] = []
    repeat {
      let part = try await services.query.exportFocus(request)
      // Whoever asks again, perhaps another process, gets the same: nothing that is remembered matters.
      let again = try await services.query.exportFocus(request)
      #expect(again.data == part.data && again.rows == part.rows)
      bytes += part.data
      request.pageToken = part.nextPageToken
      if request.pageToken.isEmpty {
        #expect(Int(part.rows) == rows(bytes).count)
      }
    } while !request.pageToken.isEmpty
    return bytes
  }

  /// The cells of each row by the names of the first one. No cell of these files has a line end.
  private func rows(_ bytes: [UInt8]) -> [[String: String]] {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").map { line in
      var cells: [String] = [""]
      var isQuoted = false
      for character in line {
        switch character {
        case "\"": isQuoted.toggle()
        case "," where !isQuoted: cells.append("")
        default: cells[cells.count - 1].append(character)
        }
      }
      return cells
    }
    guard let names = lines.first else { return [] }
    return lines.dropFirst().map { cells in
      Dictionary(zip(names, cells), uniquingKeysWith: { first, _ in first })
    }
  }

  private func statement(
    _ services: BillingServices, _ subscription: String, _ period: String = "2026-11"
  ) async throws -> Statement {
    try Statement(
      parsing: try await services.query.statement(
        GetStatementRequest(caller: .operator, subscription: subscription, period: period)
      ).document)
  }

  @Test(arguments: Engine.allCases)
  func `the rows of each invoice of a FOCUS file sum to its statement`(engine: Engine) async throws
  {
    try await withUsage(engine) { services in
      let rows = rows(try await file(services))
      var sums: [String: Cost] = [:]
      for row in rows {
        let cost = try #require(row["BilledCost"].flatMap { Cost(parsing: $0.trimmedZero) })
        sums[row["InvoiceId"] ?? "", default: .zero] = try #require(
          (sums[row["InvoiceId"] ?? ""] ?? .zero).adding(cost))
      }
      var expected: [String: Cost] = [:]
      for subscription in ["a", "b", "c"] {
        let statement = try await statement(services, subscription)
        expected[statement.number ?? "provisional/2026-11/\(subscription)"] = statement.total?.cost
      }
      #expect(sums == expected && sums["2026-000001"] != nil)
      #expect(rows.contains { $0["x_ChargeKind"] == "unrated" })
      // Late usage is on the next one.
      let december = self.rows(try await file(services, period: "2026-12"))
      #expect(december.contains { $0["ChargeClass"] == "Correction" })
    }
  }

  @Test(arguments: Engine.allCases)
  func `a FOCUS file is the same in parts of any size`(engine: Engine) async throws {
    var whole: [UInt8] = []
    let usual = BillsLimits().focusBytes
    for bytes in [usual, 1, 3000] {
      var limits = BillsLimits()
      limits.focusBytes = bytes
      // The same usage each time.
      try await withUsage(engine, seed: 7, limits: limits) { services in
        let file = try await file(services)
        if whole.isEmpty { whole = file }
        #expect(rows(file).count > 100 && file == whole)
        let first = try await services.query.exportFocus(
          ExportFocusRequest(caller: .operator, period: "2026-11"))
        #expect(first.nextPageToken.isEmpty == (bytes == usual))
      }
    }
  }

  /// More of them than statements are held of which a file has a part.
  @Test func `FOCUS files that are read beside each other are the same as one alone`() async throws
  {
    var limits = BillsLimits()
    limits.focusBytes = 1
    try await withUsage(.sqlite, limits: limits) { services in
      let whole = try await file(services)
      var files: [(bytes: [UInt8], request: ExportFocusRequest?)] = Array(
        repeating: ([], ExportFocusRequest(caller: .operator, period: "2026-11")), count: 5)
      while files.contains(where: { $0.request != nil }) {
        for index in files.indices {
          guard var request = files[index].request else { continue }
          let part = try await services.query.exportFocus(request)
          files[index].bytes += part.data
          request.pageToken = part.nextPageToken
          files[index].request = request.pageToken.isEmpty ? nil : request
        }
      }
      for file in files { #expect(file.bytes == whole) }
    }
  }

  @Test func `a part of a FOCUS file is for its caller and its question`() async throws {
    var limits = BillsLimits()
    limits.focusBytes = 1
    try await withUsage(.sqlite, limits: limits) { services in
      let first = try await services.query.exportFocus(
        ExportFocusRequest(caller: .operator, period: "2026-11"))
      for request in [
        ExportFocusRequest(caller: .operator, period: "2026-12", pageToken: first.nextPageToken),
        ExportFocusRequest(
          caller: .tenant(subscriptions: ["a"]), period: "2026-11", pageToken: first.nextPageToken),
        ExportFocusRequest(caller: .operator, period: "2026-11", pageToken: "x"),
        ExportFocusRequest(caller: .operator, period: "2026-13"),
        ExportFocusRequest(caller: .operator, period: "2026-11", version: "1.1"),
      ] {
        let error = await #expect(throws: RPCError.self) {
          _ = try await services.query.exportFocus(request)
        }
        #expect(error?.code == .invalidArgument)
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `a caller has the statements that it may see all of`(engine: Engine) async throws {
    try await withUsage(engine) { services in
      let own = rows(try await file(services, caller: .tenant(subscriptions: ["b"])))
      #expect(Set(own.compactMap { $0["SubAccountId"] }) == ["/subscriptions/b"])
      let none = rows(
        try await file(services, caller: .tenant(subscriptions: ["b"]), subscriptions: ["a"]))
      #expect(none.isEmpty)
      let showback = try await services.query.showback(
        ShowbackRequest(
          caller: .tenant(subscriptions: ["b"]), period: "2026-11", groupBy: "subscription"))
      #expect(showback.parts.map(\.name) == ["b"])
      let reconciled = try await services.query.reconcile(
        ReconcileRequest(caller: .tenant(subscriptions: ["b"]), period: "2026-11"))
      #expect(reconciled.statements.map(\.subscription) == ["b"])
    }
  }

  @Test(
    arguments: Engine.allCases,
    [
      "resourceGroup", "resource", "location", "meter", "day", "tag:env", "tag:none",
      "subscription", "costCenter", "owner", "subscriptionTag:x", "department",
    ])
  func `the parts of a showback sum to the statements`(
    engine: Engine, key: String
  ) async throws {
    try await withUsage(engine) { services in
      let answer = try await services.query.showback(
        ShowbackRequest(caller: .operator, period: "2026-11", groupBy: key))
      #expect(answer.statements == 3 && answer.drafts == 2 && answer.currency == "EUR")
      let currency = try #require(Currency(code: "EUR"))
      var expected = Money.zero(currency)
      for subscription in ["a", "b", "c"] {
        let total = try #require(try await statement(services, subscription).total)
        expected = try expected.adding(total)
      }
      var sum = Money.zero(currency)
      for part in answer.parts {
        sum = try sum.adding(try Money(parsing: part.amount, currency))
        #expect(part.kind == "usage")
      }
      #expect(sum == expected && answer.total == expected.amountText)
      switch key {
      case "tag:env": #expect(answer.parts.contains { $0.name == "prod" })
      case "resourceGroup": #expect(answer.parts.map(\.name).contains("rg1"))
      case "subscription":
        #expect(answer.parts.map(\.name) == ["a", "b", "c"])
        #expect(answer.parts[0].statements.map(\.number) == ["2026-000001"])
      case "owner": #expect(answer.parts.map(\.name) == [""])
      default: break
      }
    }
  }

  /// The subscriptions that each answer ends with, until one has all the others.
  private func ends(
    _ ask: (_ after: String) async throws -> String
  ) async throws -> [String] {
    var ends: [String] = []
    repeat { ends.append(try await ask(ends.last ?? "")) } while ends.last?.isEmpty == false
    return ends
  }

  @Test func `an answer that is full, or has no time for more, says where the next one begins`()
    async throws
  {
    var small = BillsLimits()
    small.showbackBytes = 1
    small.reconciledMax = 1
    var slow = BillsLimits()
    slow.time = .zero
    for limits in [small, slow] {
      try await withUsage(.sqlite, seed: 3, limits: limits) { services in
        let showback = try await ends { after in
          let answer = try await services.query.showback(
            ShowbackRequest(
              caller: .operator, period: "2026-11", groupBy: "meter", after: after))
          #expect(answer.statements <= 1)
          return answer.nextAfter
        }
        #expect(showback == ["a", "b", "c", ""])
        let reconciled = try await ends { after in
          let answer = try await services.query.reconcile(
            ReconcileRequest(caller: .operator, period: "2026-11", after: after))
          #expect(answer.statements.count <= 1 && answer.statements.allSatisfy(\.holds))
          return answer.nextAfter
        }
        #expect(reconciled == ["a", "b", "c", ""])
        #expect(rows(try await file(services)).count > 100)
      }
    }
  }

  @Test func `a showback with too many parts of one subscription is refused`() async throws {
    var limits = BillsLimits()
    limits.showbackBytesMax = 100
    try await withUsage(.sqlite, limits: limits) { services in
      let error = await #expect(throws: RPCError.self) {
        _ = try await services.query.showback(
          ShowbackRequest(caller: .operator, period: "2026-11", groupBy: "resource"))
      }
      #expect(error?.code == .outOfRange && error?.message.contains("subscription a") == true)
    }
  }

  @Test func `a key that nobody knows is refused with those that there are`() async throws {
    try await withUsage(.sqlite) { services in
      let error = await #expect(throws: RPCError.self) {
        _ = try await services.query.showback(
          ShowbackRequest(caller: .operator, period: "2026-11", groupBy: "color"))
      }
      #expect(error?.code == .invalidArgument && error?.message.contains("resourceGroup") == true)
    }
  }

  @Test(arguments: Engine.allCases)
  func `every statement ties to its usage`(engine: Engine) async throws {
    try await withUsage(engine) { services in
      for period in ["2026-11", "2026-12"] {
        let answer = try await services.query.reconcile(
          ReconcileRequest(caller: .operator, period: period))
        #expect(
          answer.statements.map(\.subscription) == (period == "2026-11" ? ["a", "b", "c"] : ["a"]))
        for statement in answer.statements {
          #expect(statement.holds, "\(statement)")
          #expect(statement.checks.count >= 4)
        }
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `the charges of a line sum to it, and those of all lines are all`(
    engine: Engine
  ) async throws {
    try await withUsage(engine) { services in
      for (subscription, period) in [("a", "2026-11"), ("b", "2026-11"), ("a", "2026-12")] {
        let statement = try await statement(services, subscription, period)
        var request = ListChargesRequest(
          caller: .operator, subscription: subscription, period: period)
        let all = try await services.query.listCharges(request).charges
        var count = 0
        for (index, line) in statement.lines.enumerated() {
          request.line = UInt32(index + 1)
          request.pageSize = 7
          var sum = Cost.zero
          repeat {
            let page = try await services.query.listCharges(request)
            for charge in page.charges {
              sum = try #require(Cost(parsing: charge.cost).flatMap { sum.adding($0) })
            }
            count += page.charges.count
            request.pageToken = page.nextPageToken
          } while !request.pageToken.isEmpty
          #expect(sum == line.cost, "\(line.title)")
        }
        #expect(count == all.count { $0.kind != "unrated" })
        request.line = UInt32(statement.lines.count + 1)
        let wrong = request
        let error = await #expect(throws: RPCError.self) {
          _ = try await services.query.listCharges(wrong)
        }
        #expect(error?.code == .invalidArgument)
      }
    }
  }
}

extension String {
  /// Prices and costs of a FOCUS file have a point always.
  fileprivate var trimmedZero: String { hasSuffix(".0") ? String(dropLast(2)) : self }
}
