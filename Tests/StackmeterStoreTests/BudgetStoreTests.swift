import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// Budgets and alerts in both stores.
@Suite(.timeLimit(.minutes(2))) struct BudgetStoreTests {
  private func state(
    _ name: String, period: Int64 = 30, closedBefore: Int64 = 100, subscription: String = "",
    document: String = "{}"
  ) -> StoredBudget {
    StoredBudget(
      name: name, period: Day(index: period), closedBefore: Hour(index: closedBefore),
      subscription: subscription, document: Array(document.utf8))
  }

  private func alert(
    _ id: String, _ budget: String = "a", period: Int64 = 30, at seconds: Int64 = 10
  )
    -> StoredAlert
  {
    StoredAlert(
      id: id, budget: budget, period: Day(index: period), event: Array("{\"id\":\"\(id)\"}".utf8),
      raised: Instant(seconds: seconds))
  }

  @Test(arguments: Engine.allCases)
  func `how budgets stand is replaced, and never by what was seen before`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let reader = try place.reader()
      let periods = [Day(index: 0), Day(index: 30)]
      let first = [state("a", period: 0), state("a", subscription: "s"), state("b")]
      #expect(try store.put(budgets: first, of: periods, alerts: []) == 0)
      let all = [first[1], first[2], first[0]]
      func listed(
        _ period: Int64? = nil, _ owners: [String]? = nil, after: BudgetPlace? = nil, limit: Int = 9
      ) throws -> [StoredBudget] {
        try reader.budgets(
          of: period.map { Day(index: $0) }, ownedBy: owners, after: after, limit: limit)
      }
      #expect(try listed() == all)
      #expect(try listed(limit: 2) == [all[0], all[1]])
      #expect(try listed(after: all[0].place, limit: 1) == [all[1]])
      #expect(try listed(after: all[1].place) == [all[2]])
      #expect(try listed(0) == [all[2]] && listed(60) == [])
      #expect(
        try listed(nil, ["x", "s"]) == [all[0]] && listed(nil, [""]) == [] && listed(nil, []) == [])
      // A later look replaces what is there of the period: b is no budget any more.
      let later = state("a", closedBefore: 101, document: #"{"spent":"1"}"#)
      _ = try store.put(budgets: [later], of: [Day(index: 30)], alerts: [])
      #expect(try listed() == [later, all[2]])
      _ = try store.put(budgets: [state("z")], of: [Day(index: 30)], alerts: [])
      #expect(try listed() == [later, all[2]])
      _ = try store.put(budgets: [], of: periods, alerts: [])
      #expect(try listed() == [])
    }
  }

  @Test(arguments: Engine.allCases)
  func `an alert is raised once, taken by one and told once`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let reader = try place.reader()
      let alerts = ["a/1", "a/2", "a/3"].map { alert($0) }
      #expect(try store.put(budgets: [], of: [], alerts: alerts) == 3)
      // Again, and with other words: what was raised stays.
      let again = alerts.map {
        StoredAlert(
          id: $0.id, budget: "x", period: $0.period, event: [], raised: Instant(seconds: 99))
      }
      #expect(try store.put(budgets: [], of: [], alerts: again + [alert("b/1", "b")]) == 1)
      #expect(try reader.alerts(of: BudgetPlace(period: Day(index: 30), name: "a")) == alerts)
      #expect(try reader.alerts(of: nil).map(\.id) == ["a/1", "a/2", "a/3", "b/1"])
      #expect(try reader.alerts(of: BudgetPlace(period: Day(index: 0), name: "a")) == [])

      func take(at seconds: Int64, limit: Int = 9) throws -> [StoredAlert] {
        try store.takeAlerts(
          due: Instant(seconds: seconds), until: Instant(seconds: seconds + 60), limit: limit)
      }
      #expect(try take(at: 9) == [])
      let taken = try take(at: 10, limit: 3)
      #expect(taken.map(\.id) == ["a/1", "a/2", "a/3"])
      #expect(taken.allSatisfy { $0.attempts == 1 && $0.nextTry == Instant(seconds: 70) })
      #expect(taken.map(\.event) == alerts.map(\.event))
      // Nobody else gets them while the lease holds, and somebody does when whoever took them is gone.
      #expect(try take(at: 11).map(\.id) == ["b/1"])
      #expect(try take(at: 69) == [])
      try store.note(
        alert: "a/1", delivered: Instant(seconds: 12), nextTry: Instant(seconds: 12), problem: "")
      try store.note(
        alert: "a/2", delivered: nil, nextTry: Instant(seconds: 15), problem: "status 503")
      #expect(try take(at: 15).map(\.id) == ["a/2"])
      #expect(try take(at: 70).map(\.id) == ["a/3"])
      // What was told stays so, whatever somebody else says later.
      try store.note(
        alert: "a/1", delivered: nil, nextTry: Instant(seconds: 1), problem: "too late")
      let known = try reader.alerts(of: nil)
      #expect(known[0].delivered == Instant(seconds: 12) && known[0].problem == "")
      #expect(known[1].problem == "status 503" && known[1].attempts == 2)
      for sql in [
        "DELETE FROM alert", "UPDATE alert SET problem = 'x' WHERE id = 'a/1'",
        "UPDATE alert SET raised = 1 WHERE id = 'a/2'",
        "UPDATE alert SET id = 'c' WHERE id = 'a/2'",
      ] {
        let error = #expect(throws: StoreError.self) { try place.byHand(sql) }
        #expect(error?.message.contains("raised once, and told once") == true, "\(sql)")
      }
    }
  }

  @Test func `a rebuilt database has the alerts of the old one`() throws {
    let directory = try TemporaryDirectory()
    let (old, new) = ("\(directory.path)/old.sqlite", "\(directory.path)/new.sqlite")
    let store = try SQLiteUsageStore(path: old)
    _ = try store.put(budgets: [], of: [], alerts: [alert("a/1"), alert("a/2")])
    try store.note(
      alert: "a/1", delivered: Instant(seconds: 12), nextTry: Instant(seconds: 12), problem: "")
    let reader = try SQLiteUsageReader(path: old)
    let alerts = try reader.alerts(of: nil)
    #expect(alerts.count == 2)
    for _ in 1...2 {
      let rebuilt = try SQLiteUsageStore(path: new)
      _ = try BillingCopy(from: reader, to: rebuilt, try SQLiteUsageReader(path: new))
      #expect(try SQLiteUsageReader(path: new).alerts(of: nil) == alerts)
    }
  }
}
