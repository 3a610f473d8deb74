import StackmeterAudit
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// What would change by another aggregation, against databases that were counted in both ways.
@Suite(.timeLimit(.minutes(2))) struct RestatePreviewTests {
  /// The total of every meter as an aggregator counts it by these kinds.
  private static func totals(
    _ script: JournalScript, _ kinds: [String: Aggregation]
  ) throws -> [String: Int128] {
    let store = try SQLiteUsageStore(path: ":memory:")
    let catalog = try MeterCatalog(
      kinds.keys.sorted().map {
        Meter(
          id: $0, name: $0, unit: "u", category: "c", resourceProvider: "test",
          aggregation: kinds[$0]!, isBillable: true)
      })
    try JournalCounter(store: store, catalog: catalog, latenessLimitDays: 7)
      .apply([script.chunk(script.records.indices)])
    var totals: [String: Int128] = [:]
    for row in try SQLiteUsageReader(store.connection).aggregates(
      windows: Hour(index: 0)..<Hour(index: 1_000_000), granularity: .hourly,
      filter: UsageFilter(subscriptions: nil, meters: nil), after: nil, limit: 100_000
    ).aggregates {
      totals[row.series.meter, default: 0] += row.quantity.attos
    }
    return totals
  }

  @Test func `the totals before and after are those of two databases`() throws {
    var random = try SeededRandom()
    var changed = 0
    for number in 0..<200 {
      let seed = number == 0 ? random.seed : random.next()
      do {
        var scripted = SeededRandom(seed: seed)
        let script = JournalScript(&scripted)
        guard !script.records.isEmpty else { continue }
        let others = JournalScript.kinds.mapValues { kind in
          Aggregation.allCases.filter { $0 != kind }.randomElement(using: &scripted)!
        }
        let disk = SimulatedDisk()
        var log = try RecordLog(
          disk: disk, directory: "/journal", newID: JournalScript.journal, segmentBytesMax: 2000)
        for record in script.records {
          log.append(record)
          try log.commit()
        }
        var preview = RestatePreview(
          JournalScript.kinds.map { ($0.key, $0.value, others[$0.key]!) }, latenessLimitDays: 7)
        let meters = try preview.run(
          disk: disk, journalDirectory: "/journal", upTo: log.tail.nextPosition)
        let (before, after) = try (
          Self.totals(script, JournalScript.kinds), Self.totals(script, others)
        )
        for meter in meters {
          try #require(meter.before == before[meter.meter, default: 0], "\(meter)")
          try #require(meter.after == after[meter.meter, default: 0], "\(meter)")
          try #require(meter.hours > 0 || meter.before == meter.after)
          changed += meter.hours
        }
      } catch {
        throw SeededFailure(seed: seed, cause: error)
      }
    }
    #expect(changed > 0)
  }
}
