import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import CollectorServer

/// What a host's clock that goes wrong does to what is reported.
@Suite(.timeLimit(.minutes(1))) struct CollectorClockTests {
  private static let year: Duration = .seconds(365 * 86_400)

  /// The reported time of an event of now.
  private func report(_ collector: Collector, _ id: String, start: Instant) async throws -> Instant?
  {
    let events = [Fixture.event(id, start: start.advanced(by: .seconds(-60)))]
    return try await collector.results([Fixture.batch(events)])[0][0].reportedTime
  }

  @Test(arguments: [Duration.seconds(3600), year, year * 10, year * 150])
  func `a jump forward or back does not move reported time, and is told`(
    _ size: Duration
  ) async throws {
    for jump in [size, .zero - size] {
      let clock = SimulatedClock()
      try await withCollector(SimulatedDisk(), clock) { collector in
        let start = clock.now()
        let time1 = try await report(collector, "1", start: start)
        #expect(time1 == start)
        clock.jump(by: jump)
        clock.advance(by: .seconds(10))
        let later = start.advanced(by: .seconds(10))
        let time2 = try await report(collector, "2", start: later)
        #expect(time2 == later)
        let problem = collector.status().clockProblem
        #expect(problem.contains("the host's clock shows \(clock.now())"), "\(problem)")
        // Usage that is of the future by the right time is so, whatever the clock shows.
        let future = start.advanced(by: .seconds(1000))
        let time3 = try await report(collector, "3", start: future)
        #expect(time3 == nil)
        clock.set(later)
        let time4 = try await report(collector, "4", start: later)
        #expect(time4 == later.advanced(by: .nanoseconds(1)))
        #expect(collector.status().clockProblem == "")
      }
    }
  }

  @Test func `after a restart the clock is believed, but never before the journal's last time`()
    async throws
  {
    let (disk, clock) = (SimulatedDisk(), SimulatedClock())
    let start = clock.now()
    try await withCollector(disk, clock) { collector in
      let time1 = try await report(collector, "1", start: start)
      #expect(time1 == start)
      clock.jump(by: .seconds(-7200))
      clock.advance(by: .seconds(1))
      let time2 = try await report(collector, "2", start: start)
      #expect(time2 == start.advanced(by: .seconds(1)))
    }
    try await withCollector(disk, clock) { collector in
      let after = start.advanced(by: .seconds(1) + .nanoseconds(1))
      let time3 = try await report(collector, "3", start: start)
      #expect(time3 == after)
      #expect(collector.status().clockProblem.contains("was reported up to"))
      clock.set(after)
      clock.freeze(for: .seconds(7200))
      let time4 = try await report(collector, "4", start: start)
      #expect(time4 != nil)
      #expect(collector.status().clockProblem == "")
    }
    clock.jump(by: .seconds(86_400))
    try await withCollector(disk, clock) { collector in
      let time5 = try await report(collector, "5", start: start)
      #expect(time5 == clock.now())
      #expect(collector.status().clockProblem == "")
    }
  }

  @Test func `a jump is logged when it comes and when it is over`() async throws {
    let (clock, messages) = (SimulatedClock(), Messages())
    let collector = try makeCollector(SimulatedDisk(), clock, messages: messages)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await collector.run() }
      defer { collector.stop() }
      _ = try await report(collector, "1", start: clock.now())
      clock.jump(by: Self.year)
      _ = try await eventually { collector.status().clockProblem.isEmpty ? nil : true }
      // What the commit thread says comes before what it answers next.
      _ = try await collector.report([Fixture.batch([])])
      #expect(messages.count("s after the time by what has passed") == 1)
      clock.jump(by: .zero - Self.year)
      _ = try await eventually { collector.status().clockProblem.isEmpty ? true : nil }
      _ = try await report(collector, "2", start: clock.now())
      #expect(messages.count("the host's clock is believed again") == 1)
      #expect(messages.count("s after the time by what has passed") == 1)
    }
  }

  @Test func `a clock that stands still does not hold up the windows`() async throws {
    let (disk, clock) = (SimulatedDisk(), SimulatedClock())
    let start = clock.now()
    try await withCollector(disk, clock) { collector in
      _ = try await report(collector, "1", start: start)
      clock.freeze(for: .seconds(3601))
      _ = try await eventually {
        collector.status().lastReportedTime >= start.advanced(by: .seconds(3601)) ? true : nil
      }
      #expect(collector.status().clockProblem.contains("3601 s before"))
    }
  }
}
