import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// Declared sources, and what closed windows missed of them.
@Suite(.timeLimit(.minutes(2))) struct SourceStoreTests {
  private func source(_ name: String, until seconds: Int64, cadence: UInt32 = 60) -> ReportingSource
  {
    ReportingSource(
      name: name, cadenceSeconds: cadence, completeUntil: Instant(nanoseconds: seconds),
      heardTime: Instant(nanoseconds: seconds + 1), position: .max - 5)
  }

  private func put(
    _ store: any UsageStore, _ sources: [ReportingSource], removing: [String] = []
  ) throws {
    let position = try store.position()
    try store.begin()
    try store.put(sources: sources, removing: removing)
    try store.commit(position)
  }

  @Test(arguments: Engine.allCases)
  func `sources are written, changed and removed with the position`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let store = try place.store()
      #expect(try store.sources().isEmpty)
      let many = [source("b", until: 7), source("a\"b\\,é", until: -3, cadence: .max)]
      try put(store, many)
      #expect(try store.sources() == many.sorted { $0.name < $1.name })
      #expect(try place.reader().sources() == store.sources())
      let changed = [source("b", until: 9, cadence: 1), source("c", until: 1)]
      try put(store, changed, removing: ["a\"b\\,é", "nobody"])
      #expect(try store.sources() == changed)
      try store.begin()
      try store.put(sources: [source("lost", until: 1)], removing: ["b"])
      store.rollback()
      #expect(try place.reader().sources() == changed)
    }
  }

  @Test(arguments: Engine.allCases)
  func `a window keeps what was missing when it closed, as long as it is kept`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      try store.commit([(100, Sample.series("a"), 100, Quantity(1))], next: 2, open: 100)
      let missing = MissingSources(names: ["a\"b", "é"], others: 3)
      let writer = try UsageWriter(store: store, latenessLimitDays: 7)
      try writer.begin()
      let change = WindowChange(window: Hour(index: 100), endPosition: 2, missing: missing)
      _ = try writer.count([change], from: store.position(), in: .max - 1, .bulk)
      try writer.commit(Sample.position(2, open: 101))
      func told() throws -> [MissingSources] {
        try place.reader().windows(before: nil, limit: 9).map(\.missingAtClose)
      }
      #expect(try told() == [.none, missing])
      let cell = engine == .postgresql ? "1, " : ""
      for sql in [
        "UPDATE window_missing SET others = 9", "DELETE FROM window_missing",
        "INSERT INTO window_missing VALUES (\(cell)100, '[]', 0)",
        "INSERT INTO window_missing VALUES (\(cell)99, '[]', 0)",
      ] + (engine == .postgresql ? ["TRUNCATE window_missing"] : []) {
        let error = #expect(throws: StoreError.self) { try place.byHand(sql) }
        #expect(error?.message.contains("missed never changes") == true, "\(sql)")
      }
      #expect(try told() == [.none, missing])
      try store.retain(from: Hour(index: 101))
      while try store.removeAggregates(limit: 10) > 0 {}
      #expect(try told() == [.none])
      let count = "SELECT count(*) FROM window_missing"
      switch place.database {
      case .sqlite(let path, _):
        let select = try SQLite(path, .reader).prepare(count)
        #expect(try select.step() && select.integer(0) == 0)
        select.reset()
      case .postgresql(let text, _):
        #expect(try PostgreSQL(text).query(count).integer(0, 0) == 0)
      }
    }
  }

  @Test func `a source of many cells is as far as in the last of them`() async throws {
    try await withDatabase(.postgresql) { place in
      let (local, south) = (try place.store(), try place.store(cell: "south"))
      try put(local, [source("both", until: 50), source("here", until: 5)])
      try put(south, [source("both", until: 20), source("there", until: 6)])
      let reader = try place.reader()
      #expect(try reader.sources().map(\.name) == ["both", "here", "there"])
      #expect(try reader.sources().map(\.completeUntil.nanoseconds) == [20, 5, 6])
      #expect(try local.sources().map(\.completeUntil.nanoseconds) == [50, 5])
      try put(south, [], removing: ["both"])
      #expect(try reader.sources().map(\.completeUntil.nanoseconds) == [50, 5, 6])
    }
  }

  @Test func `what a window misses in many cells is told once, and by cell`() async throws {
    try await withDatabase(.postgresql) { place in
      for (cell, missing) in [
        ("local", MissingSources(names: ["a", "b"], others: 1)),
        ("south", MissingSources(names: ["b", "c"], others: 2)),
      ] {
        let store = try place.store(cell: cell)
        try store.commit([(100, Sample.series("a"), 100, Quantity(1))], next: 2, open: 100)
        let writer = try UsageWriter(store: store, latenessLimitDays: 7)
        try writer.begin()
        let change = WindowChange(window: Hour(index: 100), endPosition: 2, missing: missing)
        _ = try writer.count([change], from: store.position(), in: .max - 1, .bulk)
        try writer.commit(Sample.position(2, open: cell == "local" ? 101 : 105))
      }
      let windows = try place.reader().windows(before: nil, limit: 9)
      #expect(windows.map(\.hour.index) == [105, 101, 100])
      #expect(windows.map(\.isClosed) == [false, false, true])
      #expect(windows.last?.missingAtClose == MissingSources(names: ["a", "b", "c"], others: 3))
      // A cell that has nothing in a window and has not ended it is told, because it holds the window open.
      #expect(
        windows.map { $0.cells.map { "\($0.cell) \($0.isClosed) \($0.aggregates)" } } == [
          ["south false 0", "local false 0"], ["local false 0"],
          ["local true 1", "south true 1"],
        ])
      #expect(windows.last?.cells.map(\.missingAtClose.others) == [1, 2])
    }
  }
}
