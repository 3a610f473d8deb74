import StackmeterCommerce
import StackmeterCore
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import BridgeServer

@Suite struct OutboxTests {
  private let first = Hour(index: 100)
  private let now = Instant(parsing: "2026-11-23T15:00:00Z")!

  private func batch(_ window: Int64, _ ids: [String]) -> PreparedBatch {
    var builder = BatchBuilder(site: "s", model: .payAsYouUse, window: Hour(index: window))
    for id in ids { builder.add(id: id, json: Array("{\"id\":\"\(id)\"}".utf8)) }
    return builder.finish()[0]
  }

  private func cursor(
    _ window: Int64, token: String = "", rows: Int64 = 0, isAgain: Bool = false
  ) -> ReadCursor {
    ReadCursor(window: Hour(index: window), token: token, rows: rows, isAgain: isAgain)
  }

  @Test func `what was read and how far is kept together, over every end`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/outbox.sqlite"
      do {
        let outbox = try Outbox(path: path)
        #expect(try await outbox.cursor() == nil)
        try await outbox.begin(with: first)
        try await outbox.begin(with: Hour(index: 7))
        #expect(try await outbox.cursor() == cursor(100))
        try await outbox.add(
          [batch(100, ["a", "b"])], at: cursor(100), next: cursor(100, token: "t", rows: 5))
        try await outbox.add([], at: cursor(100, token: "t", rows: 5), next: nil)
        // What another read from the same place brings is there already.
        try await outbox.add([batch(100, ["a", "b"])], at: cursor(100), next: nil)
      }
      let outbox = try Outbox(path: path)
      #expect(try await outbox.cursor() == cursor(101))
      let totals = try await outbox.totals()
      #expect(totals.pending == 2 && totals.sent == 0)
      #expect(totals.oldestWindow == first && totals.nextWindow == Hour(index: 101))
      await outbox.close()
    }
  }

  @Test func `batches are taken window by window, and again until they are settled`() async throws {
    try await withTemporaryDirectory { directory in
      let outbox = try Outbox(path: "\(directory)/outbox.sqlite")
      try await outbox.begin(with: first)
      try await outbox.add(
        [batch(100, ["a"]), batch(100, ["b"])], at: cursor(100), next: nil)
      try await outbox.add([batch(101, ["c"])], at: cursor(101), next: nil)
      let taken = try await outbox.take(10)
      #expect(taken.map(\.window) == [first, first])
      #expect(try await outbox.totals().sent == 2)
      #expect(try await outbox.take(10) == taken)
      try await outbox.settle(taken[1], refused: [], at: now)
      #expect(try await outbox.take(10) == [taken[0]])
      try await outbox.settle(taken[0], refused: [], at: now)
      // Settled twice is settled once.
      try await outbox.settle(taken[0], refused: [], at: now)
      #expect(try await outbox.totals().acknowledged == 2)
      #expect(try await outbox.take(10).map(\.window) == [Hour(index: 101)])
    }
  }

  @Test func `a refused record is a dead letter, which can be sent again`() async throws {
    try await withTemporaryDirectory { directory in
      let outbox = try Outbox(path: "\(directory)/outbox.sqlite")
      try await outbox.begin(with: first)
      try await outbox.add([batch(100, ["a", "b", "c"])], at: cursor(100), next: nil)
      let taken = try await outbox.take(1)[0]
      let record = Array("{\"id\":\"b\"}".utf8)
      try await outbox.settle(
        taken,
        refused: [RefusedRecord(id: "b", code: "Bad", reason: "no", record: record)], at: now)
      var totals = try await outbox.totals()
      #expect(totals.acknowledged == 2 && totals.refused == 1 && totals.pending == 0)
      let letters = try await outbox.deadLetters(after: 0, limit: 10)
      #expect(letters.map(\.id) == ["b"] && letters[0].record == record)
      #expect(letters[0].refused == now && letters[0].window == first)
      #expect(try await outbox.deadLetters(after: letters[0].number, limit: 10).isEmpty)
      #expect(
        try await outbox.resendDeadLetters([999], site: "s", model: .payAsYouUse) == 0)
      #expect(
        try await outbox.resendDeadLetters(
          [letters[0].number], site: "s", model: .payAsYouUse) == 1)
      totals = try await outbox.totals()
      #expect(totals.refused == 0 && totals.pending == 1)
      let again = try await outbox.take(1)[0]
      #expect(OpenedBatch(again.body)?.records.map(\.json) == [record])
      try await outbox.settle(again, refused: [], at: now)
      #expect(try await outbox.totals().acknowledged == 3)
    }
  }

  @Test func `halves stand in the place of a batch`() async throws {
    try await withTemporaryDirectory { directory in
      let outbox = try Outbox(path: "\(directory)/outbox.sqlite")
      try await outbox.begin(with: first)
      try await outbox.add([batch(100, ["a", "b", "c"])], at: cursor(100), next: nil)
      try await outbox.add([batch(101, ["d"])], at: cursor(101), next: nil)
      let whole = try await outbox.take(1)[0]
      let opened = try #require(OpenedBatch(whole.body))
      try await outbox.replace(whole, by: opened.halves(window: whole.window))
      let halves = try await outbox.take(10)
      #expect(halves.map(\.records) == [1, 2] && halves.allSatisfy { $0.window == first })
      #expect(try await outbox.batch(id: halves[1].id) == halves[1])
      #expect(try await outbox.batch(id: whole.id) == nil)
    }
  }

  @Test func `windows are read again from their beginning, and nothing of them is left`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let outbox = try Outbox(path: "\(directory)/outbox.sqlite")
      try await outbox.begin(with: first)
      for window in 100..<104 {
        try await outbox.add(
          [batch(Int64(window), ["\(window)"])], at: cursor(Int64(window)), next: nil)
      }
      let inFlight = try await outbox.take(1)[0]
      #expect(try await outbox.readAgain(Hour(index: 100)..<Hour(index: 102)) == 2)
      #expect(try await outbox.readAgain(Hour(index: 104)..<Hour(index: 900)) == 0)
      // The answer to what was under way is about nothing any more.
      try await outbox.settle(inFlight, refused: [], at: now)
      #expect(try await outbox.totals().acknowledged == 0)
      #expect(try await outbox.cursor() == cursor(100, isAgain: true))
      try await outbox.add(
        [batch(100, ["100"])], at: cursor(100, isAgain: true),
        next: cursor(100, token: "t", rows: 1, isAgain: true))
      #expect(
        try await outbox.cursor() == cursor(100, token: "t", rows: 1, isAgain: true))
      try await outbox.add([], at: cursor(100, token: "t", rows: 1, isAgain: true), next: nil)
      #expect(try await outbox.cursor() == cursor(101, isAgain: true))
      try await outbox.add([], at: cursor(101, isAgain: true), next: nil)
      #expect(try await outbox.cursor() == cursor(104))
    }
  }

  @Test func `an outbox of a newer version is refused and left as it is`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/outbox.sqlite"
      let database = try OutboxSchema.open(path)
      try database.execute("PRAGMA user_version = 2")
      database.close()
      do {
        _ = try Outbox(path: path)
        Issue.record("it was opened")
      } catch let error as StoreError {
        #expect(error.kind == .newerSchema)
      }
    }
  }
}
