import StackmeterCore
import Testing

@testable import StackmeterBench

@Suite struct ReporterTests {
  @Test func `the same seed makes the same batches, another one others`() {
    var first = Reporter(workload(), number: 0, inFlight: 2)
    var second = Reporter(workload(), number: 0, inFlight: 2)
    var other = Reporter(workload(seed: 2), number: 0, inFlight: 2)
    for _ in 0..<4 {
      let batch = first.next(500).batch
      #expect(batch == second.next(500).batch)
      #expect(batch != other.next(500).batch)
    }
  }

  @Test func `ids are unique among reporters`() {
    var ids: Set<String> = []
    for number in 0..<3 {
      var reporter = Reporter(workload(duplicates: 0), number: number, inFlight: 1)
      let batch = reporter.next(2000).batch
      for index in 0..<batch.count { ids.insert(batch.id(index)) }
    }
    #expect(ids.count == 6000)
  }

  @Test func `a retry is the same event, of a batch that has been answered`() {
    var reporter = Reporter(workload(duplicates: 30), number: 0, inFlight: 3)
    var known: [UsageEvent] = []
    var settled: [Int] = [0, 0, 0]
    var retries = 0
    for index in 0..<12 {
      let prepared = reporter.next(200)
      #expect(prepared.batch.count == 200 && prepared.expected.count == 200)
      #expect(prepared.expected.firstNew == known.count)
      let slots = Dictionary(
        uniqueKeysWithValues: prepared.expected.retries.map { ($0.slot, $0.number) })
      for slot in 0..<200 {
        let event = prepared.batch.event(slot)
        if let number = slots[slot] {
          #expect(number < settled[index % 3])
          #expect(event == known[Int(number)])
          retries += 1
        } else {
          known.append(event)
        }
      }
      settled[index % 3] = known.count
    }
    #expect(retries > 300)
    #expect(reporter.newCount == known.count)
  }

  @Test func `no more new events come than are asked for`() {
    var reporter = Reporter(workload(), number: 0, inFlight: 1)
    _ = reporter.next(1000)
    let last = reporter.next(1000, newMax: 10)
    #expect(last.expected.newCount == 10)
    #expect(reporter.newCount == 1010)
  }

  @Test func `a batch names only the series that it uses`() {
    var reporter = Reporter(workload(), number: 0, inFlight: 1)
    let batch = reporter.next(10).batch
    #expect(batch.series.count <= 10)
    #expect(Set(batch.seriesIndex).count == batch.series.count)
  }
}
