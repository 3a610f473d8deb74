import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct ReportedClockTests {
  private static let hour: Duration = .seconds(3600)
  private static let year: Duration = .seconds(365 * 86_400)

  /// The reported clock on a host's clock, read every second while time passes.
  private struct Host {
    let clock = SimulatedClock()
    var reported: ReportedClock

    init() {
      reported = ReportedClock(wall: clock.now(), elapsed: clock.elapsed())
    }

    mutating func read() -> Instant {
      reported.now(wall: clock.now(), elapsed: clock.elapsed())
    }

    var problem: String {
      var copy = reported
      let now = copy.now(wall: clock.now(), elapsed: clock.elapsed())
      return copy.problem(wall: clock.now(), now: now, lastTime: now)
    }
  }

  @Test func `a clock that goes right is shown as it is`() {
    var host = Host()
    for _ in 0..<3 * 3600 {
      host.clock.advance(by: .seconds(1))
      #expect(host.read() == host.clock.now() && host.reported.jump == nil)
    }
    #expect(host.problem == "")
  }

  @Test(arguments: [hour, year, year * 10, .seconds(301), year * 200, .nanoseconds(Int64.max)])
  func `a jump leaves no trace, in either direction`(_ size: Duration) {
    for jump in [size, .zero - size] {
      var host = Host()
      let start = host.clock.now()
      host.clock.jump(by: jump)
      for second in 1...7200 {
        host.clock.advance(by: .seconds(1))
        #expect(host.read() == start.advanced(by: .seconds(second)))
      }
      #expect((host.reported.jump ?? .zero > .zero) == (jump > .zero))
      #expect(host.problem.contains(jump > .zero ? "s after the time" : "s before the time"))
      host.clock.set(start.advanced(by: .seconds(7200)))
      #expect(host.read() == host.clock.now() && host.problem == "")
    }
  }

  @Test func `a clock that stands still is left after five minutes and believed when it is back`() {
    var host = Host()
    let start = host.clock.now()
    host.clock.freeze(for: .seconds(300))
    #expect(host.read() == start && host.reported.jump == nil)
    host.clock.freeze(for: .seconds(1))
    #expect(host.read() == start.advanced(by: .seconds(301)))
    #expect(host.problem.contains("301 s before"))
    host.clock.jump(by: .seconds(290))
    #expect(host.read() == start.advanced(by: .seconds(290)) && host.problem == "")
  }

  @Test func `small steps are followed, five minutes an hour at most`() {
    var host = Host()
    for _ in 0..<10 {
      host.clock.jump(by: .seconds(299))
      #expect(host.read() == host.clock.now() && host.reported.jump == nil)
      host.clock.advance(by: .seconds(3600))
      #expect(host.read() == host.clock.now() && host.reported.jump == nil)
    }
    host.clock.jump(by: .seconds(200))
    #expect(host.read() == host.clock.now())
    host.clock.jump(by: .seconds(200))
    #expect(host.read() != host.clock.now() && host.reported.jump == .seconds(400))
  }

  @Test(arguments: ["2038-01-19T03:14:07Z", "2100-02-28T23:59:59Z", "1970-01-01T00:00:00Z"])
  func `the ends of others' calendars are none here`(_ text: String) throws {
    let start = try #require(Instant(parsing: text))
    let clock = SimulatedClock(start)
    var reported = ReportedClock(wall: start, elapsed: clock.elapsed())
    for second in 1...10 {
      clock.advance(by: .seconds(1))
      let now = reported.now(wall: clock.now(), elapsed: clock.elapsed())
      #expect(now == start.advanced(by: .seconds(second)) && reported.jump == nil)
    }
  }

  @Test func `a restart during a jump believes the clock, and says what it meets`() {
    let clock = SimulatedClock()
    let past = clock.now()
    clock.jump(by: .zero - Self.year)
    var reported = ReportedClock(wall: clock.now(), elapsed: clock.elapsed())
    let now = reported.now(wall: clock.now(), elapsed: clock.elapsed())
    #expect(now == clock.now())
    #expect(
      reported.problem(wall: now, now: now, lastTime: past)
        == "usage was reported up to \(past) already, which the host's clock, \(now), has not "
        + "reached; until then reported time stands still; check the clock")
    #expect(reported.problem(wall: now, now: now, lastTime: now.advanced(by: .seconds(300))) == "")
  }
}
