import StackmeterCore
import StackmeterTesting

@testable import CollectorServer

/// What reporters send: few identities, so that most come more than once.
struct SimulatedTraffic {
  private var sent: [UsageEvent] = []

  private static let sentMax = 40

  /// Some events at `now`, of which the collector takes usage of `limitHours` hours.
  mutating func events(
    _ countMax: Int, now: Instant, limitHours: Int, _ random: inout SeededRandom
  ) -> [UsageEvent] {
    (0..<Int.random(in: 0...countMax, using: &random)).map { _ in
      let event = event(now, limitHours, &random)
      sent.append(event)
      if sent.count > SimulatedTraffic.sentMax { sent.removeFirst() }
      return event
    }
  }

  private func event(
    _ now: Instant, _ limitHours: Int, _ random: inout SeededRandom
  ) -> UsageEvent {
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<5:
      return sent.randomElement(using: &random) ?? new(now, limitHours, &random)
    case 5:
      guard var other = sent.randomElement(using: &random) else { fallthrough }
      other.quantity = Quantity(Int32.random(in: 0...3, using: &random))
      return other
    case 6..<11:
      return correction(now, limitHours, &random)
    case 11:
      var event = new(now, limitHours, &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: event.id = ""
      case 1: event.series.meter = "disk"
      case 2:
        event.usageEnd = now.advanced(by: .seconds(7201))
        event.usageStart = event.usageEnd
      default:
        event.usageStart = event.usageStart.advanced(by: .seconds(-3600 * limitHours))
        event.usageEnd = event.usageStart
      }
      return event
    default:
      return new(now, limitHours, &random)
    }
  }

  private func new(
    _ now: Instant, _ limitHours: Int, _ random: inout SeededRandom
  ) -> UsageEvent {
    // Mostly recent usage; the oldest is about as late as may be.
    let age = min(
      Int.random(in: 0...limitHours, using: &random), Int.random(in: 0...limitHours, using: &random)
    )
    let start = now.hour.start.advanced(by: .seconds(-3600 * age))
    return Fixture.event(
      name(&random), source: Int.random(in: 0..<3, using: &random) == 0 ? "vm" : "storage",
      subscription: ["s", "S", "t"].randomElement(using: &random)!,
      meter: ["CPU", "cpu", "memory"].randomElement(using: &random)!, start: start,
      duration: .seconds([0, 60, 4000].randomElement(using: &random)! > 60 && age > 1 ? 4000 : 60),
      quantity: Int32.random(in: 0...5, using: &random))
  }

  /// A correction of what was sent, or of what may yet come.
  private func correction(
    _ now: Instant, _ limitHours: Int, _ random: inout SeededRandom
  ) -> UsageEvent {
    var event = new(now, limitHours, &random)
    if let target = sent.randomElement(using: &random), !target.id.isEmpty {
      event.source = target.source
      event.usageStart = target.usageStart
      event.usageEnd = target.usageStart.advanced(by: .seconds(60))
      event.correction = Correction(.replaces, target.id)
    } else {
      event.correction = Correction(.replaces, name(&random))
    }
    if Bool.random(using: &random) {
      event.correction!.kind = .voids
      // One in many says what a void may not.
      event.quantity = Quantity(Int.random(in: 0..<12, using: &random) == 0 ? 1 : 0)
    }
    // One that names itself is malformed, which other tests show.
    if event.correction!.targetID == event.id { event.id += "c" }
    return event
  }

  private func name(_ random: inout SeededRandom) -> String {
    "\(Int.random(in: 0..<14, using: &random))"
  }
}
