import StackmeterBilling
import StackmeterCore
import StackmeterRating
import StackmeterStore
import StackmeterTesting
import Testing

@testable import QueryServer

/// What is remembered of usage that charges are made of, and how much of it is read together.
@Suite struct ChargeRowsMemoryTests {
  private static let names = (0..<3000).map { "s\(1000 + $0)" }
  private static let openWindow = Instant(parsing: "2027-06-01T00:00:00Z")!.hour

  /// Asks one memory of an empty database, and knows what was read.
  private final class Reading {
    let memory = ChargeRowsMemory()
    private let reader: any UsageReader
    /// How many subscriptions were read together, each time.
    var counts: [Int] = []
    /// More are too much.
    var most = 10_000

    init(_ directory: String) throws {
      let path = "\(directory)/usage.sqlite"
      _ = try UsageDatabase.sqlite(path: path, cell: "local").store()
      reader = try UsageDatabase.sqlite(path: path, cell: "local").reader()
    }

    /// Whether there are rows of a subscription.
    func ask(_ index: Int, _ period: String = "2026-11") throws -> Bool {
      let period = try #require(BillingPeriod(parsing: period))
      let name = ChargeRowsMemoryTests.names[index]
      let rows = try memory.rows(
        of: name, period, ChargeRowsMemoryTests.openWindow,
        { count in Array(ChargeRowsMemoryTests.names[index...].prefix(count)) },
        { (some) throws(StoreError) in
          counts.append(some.count)
          guard some.count <= most else { return nil }
          return try ChargeRows(
            of: some, period: period, openWindow: ChargeRowsMemoryTests.openWindow, reader,
            limit: 10)
        })
      return rows?.has(name) ?? false
    }
  }

  @Test func `no more subscriptions are read together than may be, and fewer where they are much`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let reading = try Reading(directory)
      for index in 0..<BillsLimits.rowsOfSubscriptionsMax { #expect(try reading.ask(index)) }
      #expect(reading.counts == [BillsLimits.rowsOfSubscriptionsMax])
      reading.most = 300
      #expect(try reading.ask(1000))
      #expect(reading.counts.dropFirst() == [1000, 250])
      for index in 1000..<1250 { #expect(try reading.ask(index)) }
      #expect(reading.counts.count == 3)
      // More again, step by step.
      #expect(try reading.ask(1250))
      #expect(reading.counts.dropFirst(3) == [500, 125])
      reading.most = 0
      #expect(try !reading.ask(2000))
      #expect(reading.counts.last == 1)
    }
  }

  @Test func `of more walks than are remembered, the oldest is read anew`() async throws {
    try await withTemporaryDirectory { directory in
      let reading = try Reading(directory)
      let periods = (1...ChargeRowsMemory.entriesMax + 1).map { "2026-0\($0)" }
      for period in periods { #expect(try reading.ask(0, period)) }
      #expect(reading.counts.count == periods.count)
      for period in periods.dropFirst() { #expect(try reading.ask(1, period)) }
      #expect(reading.counts.count == periods.count)
      #expect(try reading.ask(1, periods[0]))
      #expect(reading.counts.count == periods.count + 1)
    }
  }
}
