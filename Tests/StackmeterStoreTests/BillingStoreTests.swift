import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// Rate cards and statements in both stores.
@Suite(.timeLimit(.minutes(2))) struct BillingStoreTests {
  private func card(
    _ version: Int64, _ effective: Int64, name: String = "standard", text: String = ""
  ) -> (StoredRateCard, [UInt8]) {
    let text = Array((text.isEmpty ? "version \(version)\n" : text).utf8)
    return (
      StoredRateCard(
        name: name, version: version, effective: Day(index: effective), currency: "EUR", text: text),
      text
    )
  }

  /// A statement of the month from day 30·`month` on.
  private func statement(
    _ sequence: Int64, _ subscription: String = "a", month: Int64 = 0,
    windows: Range<Int64> = 0..<10,
    states: [RatedState] = [], uses: [PostingUse] = []
  ) -> NewStatement {
    NewStatement(
      StoredStatement(
        year: 2026, sequence: sequence, number: "2026-\(sequence)", subscription: subscription,
        period: Day(index: month * 30)..<Day(index: month * 30 + 30),
        windows: Hour(index: windows.lowerBound)..<Hour(index: windows.upperBound),
        card: "standard", currency: "EUR", total: "-1.50", hash: [UInt8](repeating: 7, count: 32)),
      document: Array("{\"number\":\(sequence)}".utf8), states: states, uses: uses)
  }

  @Test(arguments: Engine.allCases)
  func `a version of a card is there byte by byte, and stays`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let reader = try place.reader()
      let (first, text) = card(1, 100, text: "\u{FEFF}card standard\r\n\0é")
      try store.put(rateCard: first, text: text)
      let second = card(7, 130)
      try store.put(rateCard: second.0, text: second.1)
      let other = card(1, 90, name: "other")
      try store.put(rateCard: other.0, text: other.1)
      #expect(try reader.rateCards(named: "standard") == [first, second.0])
      #expect(try reader.rateCards(named: nil) == [other.0, first, second.0])
      #expect(try reader.rateCards(named: "absent") == [])
      #expect(try reader.rateCardText("standard", 1) == text)
      #expect(try reader.rateCardText("standard", 2) == nil)
      #expect(first.hash.count == 32 && first.byteCount == text.count)

      // Neither the number nor the day may be one that was.
      for wrong in [card(7, 140), card(6, 140), card(8, 130), card(8, 129)] {
        let error = #expect(throws: StoreError.self) {
          try store.put(rateCard: wrong.0, text: wrong.1)
        }
        #expect(error?.message.contains("a past version of a rate card never changes") == true)
      }
      for sql in [
        "UPDATE rate_card SET content = sha256",
        "UPDATE rate_card SET effective = 1 WHERE version = 7",
        "DELETE FROM rate_card",
      ] {
        let error = #expect(throws: StoreError.self) { try place.byHand(sql) }
        #expect(error?.message.contains("a past version of a rate card never changes") == true)
      }
      #expect(try reader.rateCards(named: "standard") == [first, second.0])
    }
  }

  @Test(arguments: Engine.allCases)
  func `statements follow each other without a gap, and stay`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let reader = try place.reader()
      try store.commit([(1, Sample.series("a"), 1, Quantity(1))], next: 2, open: 20)
      let state = RatedState(period: Day(index: 0), meter: "cpu", state: "x")
      let posted = try store.put(postings: [
        Posting(
          id: 0, kind: .credit, subscription: "a", amount: "5.00", currency: "EUR", reason: "è",
          granted: Day(index: 1), expires: nil)
      ])[0]
      #expect(try store.lastStatement(of: 2026) == 0)
      let first = statement(
        1, states: [state], uses: [PostingUse(posting: posted, amount: "2.00")])
      try store.put(statements: [first, statement(2, "b")])
      #expect(try store.lastStatement(of: 2026) == 2)

      // A gap, a number again, another beginning, an open window, a period again, an earlier one.
      let wrong = [
        statement(4, "c"), statement(2, "c"), statement(3, "c", windows: 1..<9),
        statement(3, "c", windows: 0..<21), statement(3, windows: 10..<12),
        statement(3, month: -1, windows: 10..<12), statement(3, month: 1, windows: 9..<12),
      ]
      for statement in wrong {
        #expect(throws: StoreError.self) { try store.put(statements: [statement]) }
      }
      // All or nothing.
      #expect(throws: StoreError.self) {
        try store.put(statements: [statement(3, "c", states: [state]), statement(3, "d")])
      }
      #expect(try reader.ratedStates(of: "c", before: Day(index: 99)) == [])
      let next = RatedState(period: Day(index: 0), meter: "cpu", state: "y")
      let third = statement(3, month: 1, windows: 10..<20, states: [next])
      try store.put(statements: [third])

      #expect(
        try reader.statements(StatementFilter(), after: nil, limit: 9).map(\.number)
          == ["2026-1", "2026-2", "2026-3"])
      #expect(
        try reader.statements(StatementFilter(), after: first.statement.place, limit: 1).map(
          \.number)
          == ["2026-2"])
      #expect(
        try reader.statements(StatementFilter(subscriptions: ["a", "z"]), after: nil, limit: 9)
          == [first.statement, third.statement])
      #expect(
        try reader.statements(StatementFilter(period: Day(index: 30)), after: nil, limit: 9)
          == [third.statement])
      let found = try reader.statement(first.statement.place)
      #expect(found?.statement == first.statement && found?.document == first.document)
      #expect(try reader.statement(StatementPlace(year: 2026, sequence: 9)) == nil)
      #expect(try reader.lastStatement(of: "a", before: Day(index: 30)) == first.statement)
      #expect(try reader.lastStatement(of: "a", before: Day(index: 31)) == third.statement)
      #expect(try reader.lastStatement(of: "a", before: Day(index: 0)) == nil)
      #expect(try reader.ratedStates(of: "a", before: Day(index: 0)) == [])
      #expect(try reader.ratedStates(of: "a", before: Day(index: 30)) == [state])
      #expect(try reader.ratedStates(of: "a", before: Day(index: 31)) == [next])
      #expect(try reader.ratedStates(of: "a", ofStatementOf: Day(index: 0)) == [state])
      #expect(try reader.uses(first.statement.place).map(\.amount) == ["2.00"])

      for sql in [
        "UPDATE statement SET total = '0'", "DELETE FROM statement", "DELETE FROM rated_state",
        "UPDATE rated_state SET state = ''", "DELETE FROM posting_use",
        "INSERT INTO rated_state VALUES ('a', 0, 'm', 30, '')",
        "INSERT INTO posting_use VALUES (1, 2026, 3, '1')",
      ] {
        let error = #expect(throws: StoreError.self) { try place.byHand(sql) }
        #expect(error?.message.contains("a closed statement never changes") == true, "\(sql)")
      }
      // A version that takes effect in a closed period would change it.
      #expect(try reader.closedUntil(card: "standard") == Day(index: 60))
      #expect(try reader.closedUntil(card: "other") == nil)
      let late = card(1, 59)
      #expect(throws: StoreError.self) { try store.put(rateCard: late.0, text: late.1) }
      let next2 = card(1, 60)
      try store.put(rateCard: next2.0, text: next2.1)
    }
  }

  @Test(arguments: Engine.allCases)
  func `what was written down is there with what was used of it, and stays`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let reader = try place.reader()
      try store.commit([(1, Sample.series("a"), 1, Quantity(1))], next: 2, open: 20)
      func posting(_ id: Int64, _ kind: Posting.Kind, _ subscription: String, _ expires: Int64?)
        -> Posting
      {
        Posting(
          id: id, kind: kind, subscription: subscription, amount: "-3.10", currency: "EUR",
          reason: "r", granted: Day(index: 5), expires: expires.map { Day(index: $0) })
      }
      #expect(
        try store.put(postings: [posting(0, .credit, "a", 60), posting(0, .shared, "b", nil)])
          == [1, 2])
      #expect(try store.put(postings: [posting(7, .credit, "a", -3)]) == [7])
      // All of them, or nothing.
      #expect(throws: StoreError.self) {
        try store.put(postings: [posting(0, .credit, "a", nil), posting(7, .credit, "a", nil)])
      }
      #expect(try store.put(postings: []) == [])
      try store.put(statements: [
        statement(1, uses: [PostingUse(posting: 1, amount: "1.00")]),
        statement(
          2, month: 1, windows: 10..<20,
          uses: [PostingUse(posting: 1, amount: "0.50"), PostingUse(posting: 7, amount: "2.00")]),
      ])
      func read(_ subscription: String?, _ day: Int64?) throws -> [String] {
        try reader.postings(of: subscription, usedBefore: day.map { Day(index: $0) }).map {
          "\($0.posting.id) \($0.used.map(\.amount).joined(separator: "+"))"
        }
      }
      #expect(try read("a", nil) == ["1 1.00+0.50", "7 2.00"])
      #expect(try read("a", 30) == ["1 1.00", "7 "])
      #expect(try read(nil, 0) == ["1 ", "2 ", "7 "])
      #expect(
        try reader.postings(of: "b", usedBefore: nil).map(\.posting)
          == [posting(2, .shared, "b", nil)])
      #expect(
        try reader.postings(of: "a", usedBefore: nil).map(\.posting)
          == [posting(1, .credit, "a", 60), posting(7, .credit, "a", -3)])
      for sql in ["UPDATE posting SET amount = '1'", "DELETE FROM posting WHERE id = 2"] {
        let error = #expect(throws: StoreError.self) { try place.byHand(sql) }
        #expect(error?.message.contains("what was written down never changes") == true)
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `usage by meter, location and day sums to the aggregates of the windows`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      var random = SeededRandom(seed: 5)
      let store = try place.store()
      for window in Int64(100)..<150 {
        var rows: [(Int64, Series, Int64, Quantity)] = []
        for number in 0..<6 {
          let series = Series(
            subscription: "s\(number % 2)", meter: number < 4 ? "cpu" : "ram",
            resource: Resource(uri: "/\(number)", location: number % 3 == 0 ? "west" : ""))
          rows.append((window, series, window, Quantity(Int32(random.next() % 1000) - 300)))
          if random.next() % 3 == 0 {
            let late = window - Int64(random.next() % 40) - 1
            rows.append((window, series, late, Quantity(attos: Int128(random.next()))!))
          }
        }
        try store.commit(rows, next: UInt64(window), open: min(window + 1, 149))
      }
      let reader = try place.reader()
      let all = try reader.all()
      for (windows, hours) in [
        (0..<1_000, 0..<1_000), (110..<131, 96..<130), (149..<150, 0..<200), (0..<120, 118..<300),
        (7..<7, 0..<9),
      ] as [(Range<Int64>, Range<Int64>)] {
        let found = try reader.snapshot { (reader) throws(StoreError) in
          try reader.locatedUsage(
            of: "s1", windows: Hour(index: windows.lowerBound)..<Hour(index: windows.upperBound),
            hours: Hour(index: hours.lowerBound)..<Hour(index: hours.upperBound))
        }
        var expected: [String: Int128] = [:]
        for row in all
        where row.series.subscription == "s1" && windows.contains(row.window.index)
          && hours.contains(row.usageStart.hour.index)
        {
          let resource = row.series.resource
          expected[
            "\(row.series.meter) \(resource.location) \(row.usageStart.hour.day)", default: 0] +=
            row.quantity.attos
        }
        let sums = found.map { ("\($0.meter) \($0.location) \($0.day)", $0.quantity.attos) }
        #expect(Dictionary(uniqueKeysWithValues: sums) == expected, "\(windows) \(hours)")
        #expect(found.map(\.meter) == found.map(\.meter).sorted())
      }
      // What the retention has removed is not taken for nothing.
      try store.retain(from: Hour(index: 120))
      let error = #expect(throws: StoreError.self) {
        _ = try reader.locatedUsage(
          of: "s1", windows: Hour(index: 0)..<Hour(index: 150),
          hours: Hour(index: 118)..<Hour(index: 130))
      }
      #expect(error?.kind == .removed)
      _ = try reader.locatedUsage(
        of: "s1", windows: Hour(index: 0)..<Hour(index: 150),
        hours: Hour(index: 121)..<Hour(index: 130))
    }
  }

  /// Few of many subscriptions are looked up in each window; where they are most of them, all rows are read.
  @Test(arguments: Engine.allCases)
  func `usage of many subscriptions is what each of them has by itself`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      var random = try SeededRandom()
      let store = try place.store()
      for window in Int64(100)..<130 {
        let rows = (0..<12).compactMap { number -> (Int64, Series, Int64, Quantity)? in
          guard random.next() % 3 != 0 else { return nil }
          let series = Series(
            // Their names are in another order than their numbers.
            subscription: "s\(number * 7 % 12)", meter: "cpu",
            resource: Resource(uri: "/\(number)", location: number % 3 == 0 ? "west" : ""))
          return (window, series, window - Int64(random.next() % 3), Quantity(1))
        }
        try store.commit(rows, next: UInt64(window), open: min(window + 1, 129))
      }
      let reader = try place.reader()
      let windows = Hour(index: 105)..<Hour(index: 1_000)
      let hours = Hour(index: 110)..<Hour(index: 128)
      let note: Comment = "STACKMETER_SEED=\(random.seed)"
      for names in [(0..<12).map { "s\($0)" }, ["s3"], ["s9", "nobody", "s0", "s10"], []] {
        let together = try reader.snapshot { (reader) throws(StoreError) in
          try reader.locatedUsage(of: names, windows: windows, hours: hours)
        }
        let rows = try #require(try reader.aggregates(of: names, windows: windows, limit: 10_000))
        #expect(together.count == names.count && rows.count == names.count)
        for (name, (sums, aggregates)) in zip(names, zip(together, rows)) {
          let alone = try reader.snapshot { (reader) throws(StoreError) in
            try reader.locatedUsage(of: name, windows: windows, hours: hours)
          }
          #expect(sums == alone, note)
          let paged = try reader.aggregates(
            windows: windows, granularity: .hourly,
            filter: UsageFilter(subscriptions: [name], meters: nil), after: nil, limit: 10_000
          ).aggregates
          #expect(aggregates == paged, note)
          #expect(aggregates.isEmpty == (name == "nobody"), note)
        }
        let count = rows.reduce(0) { $0 + $1.count }
        #expect(try reader.aggregates(of: names, windows: windows, limit: count) != nil)
        guard count > 0 else { continue }
        #expect(try reader.aggregates(of: names, windows: windows, limit: count - 1) == nil)
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `another database takes all of it over, wherever it was interrupted`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      try store.commit([(1, Sample.series("a"), 1, Quantity(1))], next: 2, open: 900)
      let first = card(1, -30)
      try store.put(rateCard: first.0, text: first.1)
      _ = try store.put(postings: [
        Posting(
          id: 4, kind: .credit, subscription: "a", amount: "5", currency: "EUR", reason: "r",
          granted: Day(index: 1), expires: nil)
      ])
      for number in Int64(1)...45 {
        try store.put(statements: [
          statement(
            number, month: number, windows: number * 10 - 10..<number * 10,
            states: [RatedState(period: Day(index: number), meter: "m", state: "\(number)")],
            uses: number % 2 == 0 ? [PostingUse(posting: 4, amount: "0.01")] : [])
        ])
      }
      let second = card(2, 10_000)
      try store.put(rateCard: second.0, text: second.1)

      let reader = try place.reader()
      let directory = try TemporaryDirectory()
      let path = "\(directory.path)/usage.sqlite"
      let target = try SQLiteUsageStore(path: path)
      try target.commit([(1, Sample.series("a"), 1, Quantity(1))], next: 2, open: 900)
      let new = try SQLiteUsageReader(path: path)
      // What an interrupted one has left.
      try target.put(rateCard: first.0, text: first.1)
      try target.put(statements: [
        statement(
          1, month: 1, states: [RatedState(period: Day(index: 1), meter: "m", state: "1")])
      ])
      let copied = try BillingCopy(from: reader, to: target, new)
      #expect(copied.cards == 1 && copied.statements == 44)
      let again = try BillingCopy(from: reader, to: target, new)
      #expect(again.cards == 0 && again.statements == 0)
      let all = try reader.statements(StatementFilter(), after: nil, limit: 99)
      #expect(all.count == 45)
      #expect(try new.statements(StatementFilter(), after: nil, limit: 99) == all)
      #expect(try new.rateCards(named: nil) == reader.rateCards(named: nil))
      #expect(try new.rateCardText("standard", 2) == second.1)
      let day = Day(index: 99_999)
      #expect(
        try new.ratedStates(of: "a", before: day) == reader.ratedStates(of: "a", before: day))
      #expect(try new.uses(all[1].place) == reader.uses(all[1].place))
      #expect(try new.uses(all[1].place).count == 1)
    }
  }
}
