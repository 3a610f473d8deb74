import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite struct DirectoryTests {
  private func directory(_ ids: String...) throws -> SubscriptionDirectory {
    let list = ids.map { #"{"id":"\#($0)","displayName":"the \#($0)"}"# }.joined(separator: ",")
    return try SubscriptionDirectory(json: Array(#"{"subscriptions":[\#(list)]}"#.utf8))
  }

  @Test(arguments: Engine.allCases)
  func `a directory changes names and no number, and is replaced as a whole`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let reader = try place.reader()
      try store.replaceDirectory(try directory("b", "d"))
      try store.commit(
        [(100, Sample.series("b"), 100, Quantity(1)), (100, Sample.series("a"), 100, Quantity(2))],
        next: 3, open: 101)
      func rows() throws -> [WindowRow] {
        try reader.rows(of: Hour(index: 100), after: nil, limit: 9)
      }
      let before = (try rows(), try reader.closedWindows(before: nil, limit: 9))
      let seen = try reader.subscriptions(ids: nil, after: "", limit: 9)
      #expect(seen.map(\.id) == ["a", "b", "d"])
      #expect(seen.map(\.state) == [.unassigned, .active, .active])
      #expect(seen.map(\.displayName) == ["", "the b", "the d"])
      try store.replaceDirectory(try directory("a", "c"))
      let now = try reader.subscriptions(ids: nil, after: "", limit: 9)
      #expect(now.map(\.id) == ["a", "b", "c"])
      #expect(now.map(\.state) == [.active, .unassigned, .active])
      #expect(try rows() == before.0)
      #expect(try reader.closedWindows(before: nil, limit: 9) == before.1)
      // Pages, and those that are asked for.
      #expect(try reader.subscriptions(ids: nil, after: "a", limit: 1).map(\.id) == ["b"])
      #expect(try reader.subscriptions(ids: ["c", "x"], after: "", limit: 9).map(\.id) == ["c"])
      #expect(try reader.subscriptions(ids: ["c", "a"], after: "a", limit: 9).map(\.id) == ["c"])
      #expect(try reader.subscriptions(ids: [], after: "", limit: 9).isEmpty)
    }
  }

  @Test func `what a directory says is in the view of usage`() throws {
    let store = try SQLiteUsageStore(path: ":memory:")
    try store.replaceDirectory(try directory("a"))
    try store.commit([(100, Sample.series("a"), 100, Quantity(2))], next: 3, open: 101)
    let view = try store.connection.prepare(
      "SELECT subscription_name FROM usage WHERE subscription = 'a'")
    #expect(try view.step() && view.text(0) == "the a")
    view.reset()
  }

  @Test func `of many cells, the own one says what a subscription is called, else the first`()
    async throws
  {
    try await withDatabase(.postgresql) { place in
      let list = #"[{"id":"a","displayName":"south's"},{"id":"z","displayName":"south's"}]"#
      let south = try SubscriptionDirectory(json: Array(#"{"subscriptions":\#(list)}"#.utf8))
      for cell in ["south", "west"] { try place.store(cell: cell).replaceDirectory(south) }
      let local = try place.store()
      try local.replaceDirectory(try directory("a", "b"))
      try local.commit([(100, Sample.series("u"), 100, Quantity(1))], next: 2, open: 101)
      let reader = try place.reader()
      let all = try reader.subscriptions(ids: nil, after: "", limit: 9)
      #expect(
        all.map { "\($0.id) \($0.displayName)" } == ["a the a", "b the b", "u ", "z south's"])
      var walked: [Subscription] = []
      while let next = try reader.subscriptions(
        ids: nil, after: walked.last?.id ?? "", limit: 1
      ).first { walked.append(next) }
      #expect(walked == all)
    }
  }
}
