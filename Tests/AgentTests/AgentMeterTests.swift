internal import StackmeterCore
internal import Testing

@testable import AgentServer

@Suite struct AgentMeterTests {
  @Test func `one GB of memory for one hour is exactly one GB-hour`() {
    var accumulator = Accumulator(units: (1 << 30) * 3_600_000_000_000)
    let quantity = accumulator.take(.memory)
    #expect(quantity == Quantity(1))
    #expect(accumulator == Accumulator())
  }

  @Test func `what a conversion cuts off is carried to the next`() {
    // One byte for one nanosecond is 78125 ÷ 301989888 attos.
    var accumulator = Accumulator()
    var total = Quantity.zero
    for _ in 0..<301_989_888 / 4096 {
      accumulator.units += 4096
      total = total.adding(accumulator.take(.storage) ?? .zero)!
    }
    #expect(total == Quantity(attos: 78_125))
    #expect(accumulator == Accumulator())
  }

  @Test func `microseconds and bytes are exact`() {
    var processor = Accumulator(units: 60_000_001)
    let seconds = processor.take(.cpu)
    #expect(seconds?.description == "60.000001")
    var network = Accumulator(units: 123_456_789)
    let bytes = network.take(.networkIn)
    #expect(bytes?.description == "123456789")
  }

  @Test func `a total below zero is kept and gives nothing`() {
    var accumulator = Accumulator(units: -5)
    let quantity = accumulator.take(.cpu)
    #expect(quantity == nil)
    #expect(accumulator.units == -5)
  }

  @Test(arguments: AgentMeter.allCases)
  func `more than one event may hold waits for the next`(meter: AgentMeter) throws {
    var accumulator = Accumulator(units: meter.kernelUnitsMax + 9)
    let taken = accumulator.take(meter)
    let quantity = try #require(taken)
    #expect(quantity <= EventLimits.quantityMax)
    #expect(accumulator.units == 9)
  }

  @Test func `a name that is too long stays different from its like`() {
    let long = String(repeating: "a", count: 500)
    let first = (long + "1").percentEncoded(bytesMax: 128)
    let second = (long + "2").percentEncoded(bytesMax: 128)
    #expect(first.utf8.count == 128 && second.utf8.count == 128 && first != second)
    #expect("/a b".percentEncoded(bytesMax: 128) == "%2Fa%20b")
  }
}
