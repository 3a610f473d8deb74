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

  @Test func `time passes whatever the clock shows`() {
    let clock = SimulatedClock(Instant(seconds: 100))
    clock.advance(by: .seconds(5))
    clock.advance(by: .seconds(-50))
    clock.set(Instant(seconds: 7))
    clock.jump(by: .seconds(1))
    #expect(clock.elapsed() == .seconds(5) && clock.now() == Instant(seconds: 8))
    clock.freeze(for: .seconds(2))
    #expect(clock.elapsed() == .seconds(7) && clock.now() == Instant(seconds: 8))
  }
}
