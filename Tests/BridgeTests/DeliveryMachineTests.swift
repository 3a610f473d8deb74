import StackmeterTesting
import Testing

@testable import BridgeServer

@Suite struct DeliveryMachineTests {
  private let configuration = BridgeConfiguration(
    retryMin: .seconds(1), retryMax: .seconds(60))

  @Test func `several batches are sent until one fails, then one by one`() {
    var random = SeededRandom(seed: 1)
    var machine = DeliveryMachine(configuration)
    #expect(machine.step(at: .zero) == .send(atMost: BridgeLimits.batchesInFlightMax))
    machine.failed("503", retryAfter: nil, at: .zero, using: &random)
    #expect(machine.step(at: .seconds(1)) == .send(atMost: 1))
    machine.succeeded()
    #expect(machine.step(at: .seconds(1)) == .send(atMost: BridgeLimits.batchesInFlightMax))
    #expect(machine == DeliveryMachine(configuration))
  }

  @Test func `pauses double up to the longest and are between half and all of it`() throws {
    try withSeededRandom { random in
      var machine = DeliveryMachine(configuration)
      for longest in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        machine.failed("x", retryAfter: nil, at: .zero, using: &random)
        let retryAt = try #require(machine.retryAt)
        try #require(retryAt >= .seconds(longest) / 2 && retryAt <= .seconds(longest))
        try #require(machine.step(at: retryAt - .nanoseconds(1)) == .wait(until: retryAt))
        try #require(machine.step(at: retryAt) == .send(atMost: 1))
      }
    }
  }

  @Test func `ten thousand failures are as two`() {
    var random = SeededRandom(seed: 2)
    var machine = DeliveryMachine(configuration)
    for _ in 0..<10_000 { machine.failed("x", retryAfter: nil, at: .zero, using: &random) }
    #expect(machine.retryAt! <= .seconds(60))
  }

  @Test func `the service's wish is never undercut, and counts as a day at most`() {
    var random = SeededRandom(seed: 3)
    var machine = DeliveryMachine(configuration)
    machine.failed("429", retryAfter: .seconds(600), at: .seconds(5), using: &random)
    #expect(machine.retryAt == .seconds(605))
    machine.failed("429", retryAfter: .seconds(1_000_000), at: .zero, using: &random)
    #expect(machine.retryAt == BridgeLimits.retryAfterMax)
    // A shorter wish does not shorten the pause.
    machine.failed("429", retryAfter: .zero, at: .zero, using: &random)
    #expect(machine.retryAt! > .seconds(1))
  }

  @Test func `the circuit opens with the third failure, tries once, and closes with an answer`() {
    var random = SeededRandom(seed: 4)
    var machine = DeliveryMachine(configuration)
    for number in 1...BridgeLimits.failuresMax {
      #expect(machine.circuit(at: .zero) == .closed, "before failure \(number)")
      machine.failed("x", retryAfter: nil, at: .zero, using: &random)
    }
    #expect(machine.circuit(at: .zero) == .open)
    #expect(machine.circuit(at: .seconds(60)) == .halfOpen)
    machine.retryNow()
    #expect(machine.circuit(at: .zero) == .halfOpen)
    #expect(machine.step(at: .zero) == .send(atMost: 1))
    machine.succeeded()
    #expect(machine.circuit(at: .zero) == .closed)
  }
}
