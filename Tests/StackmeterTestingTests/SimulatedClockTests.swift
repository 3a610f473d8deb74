import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct SimulatedClockTests {
  @Test func `the clock shows what it was told, forward and back`() {
    let start = Instant(seconds: 100)
    let clock = SimulatedClock(start)
    #expect(clock.now() == start)
    clock.advance(by: .seconds(5))
    #expect(clock.now() == Instant(seconds: 105))
    clock.advance(by: .milliseconds(-500))
    #expect(clock.now() == Instant(nanoseconds: 104_500_000_000))
    clock.set(start)
    #expect(clock.now() == start)
  }
}
