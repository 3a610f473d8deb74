import StackmeterCore
import Testing

@testable import StackmeterBench

/// A small workload that ends before hour 1000.
func workload(
  seed: UInt64 = 1, hours: Int = 48, events: UInt64 = 10_000, duplicates: Int = 5, late: Int = 5
) -> Workload {
  Workload(
    seed: seed, seriesCount: 100, subscriptionCount: 10, hourCount: hours, now: Hour(index: 1000),
    eventsPerReporter: events, duplicatesPercent: duplicates, latePercent: late)
}

@Suite struct WorkloadTests {
  @Test func `series are different, and of as many subscriptions as were asked for`() {
    let series = workload().series
    #expect(Set(series).count == 100)
    #expect(Set(series.map(\.subscription)).count == 10)
  }

  @Test func `usage hours advance with the events and end before now`() {
    let workload = workload(late: 0)
    let hours = (0..<10_000).map {
      Instant(nanoseconds: workload.content(reporter: 0, number: $0).usageStart).hour.index
    }
    #expect(hours == hours.sorted())
    #expect(Set(hours) == Set(952..<1000))
  }

  @Test func `late events are of an earlier hour, at most a day`() {
    let workload = workload(hours: 1, late: 20)
    let hours = (0..<10_000).map {
      Instant(nanoseconds: workload.content(reporter: 0, number: $0).usageStart).hour.index
    }
    #expect(Set(hours) == Set(975...999))
    #expect((1800...2200).contains(hours.count { $0 < 999 }))
  }

  @Test func `usage stays within its hour`() {
    let workload = workload()
    for number in 0..<10_000 {
      let content = workload.content(reporter: 3, number: UInt64(number))
      let start = Instant(nanoseconds: content.usageStart)
      #expect(content.usageEnd <= start.hour.end.nanoseconds)
      #expect(content.attos > 0)
    }
  }
}
