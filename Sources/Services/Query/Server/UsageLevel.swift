internal import StackmeterCore

/// How the level of one usage hour moves as events come and go, one after the other.
struct UsageLevel {
  /// Events of one question, of meters that are no sum: each of them is held, and looked at for each that comes.
  static let eventsMax = 20_000

  private struct Sample {
    let start: Instant
    let end: Instant
    let position: UInt64
    let quantity: Quantity
  }

  private let aggregation: Aggregation
  private let hour: Hour
  private var samples: [Series: [EventIdentity: Sample]] = [:]
  private(set) var eventCount = 0

  init(_ aggregation: Aggregation, _ hour: Hour) {
    self.aggregation = aggregation
    self.hour = hour
  }

  /// How much the aggregate grows by what was found, in attos.
  mutating func take(_ usage: JournaledUsage) -> Int128 {
    eventCount += 1
    let event = usage.event
    guard aggregation != .sum else {
      let split = UsageSplit(
        start: event.usageStart, end: event.usageEnd, quantity: event.quantity)
      return split.first { $0.hour == hour }?.quantity.attos ?? 0
    }
    let before = level(of: event.series)
    if usage.takesBack != nil, let target = event.targetIdentity {
      samples[event.series]?[target] = nil
    }
    if let quantity = usage.counts {
      samples[event.series, default: [:]][event.identity] = Sample(
        start: event.usageStart, end: event.usageEnd, position: usage.position,
        quantity: quantity)
    }
    return level(of: event.series) - before
  }

  private func level(of series: Series) -> Int128 {
    guard let samples = samples[series]?.values, !samples.isEmpty else { return 0 }
    switch aggregation {
    case .sum: return 0
    case .max: return samples.map(\.quantity.attos).max() ?? 0
    case .latest:
      return samples.max { ($0.end, $0.start, $0.position) < ($1.end, $1.start, $1.position) }?
        .quantity.attos ?? 0
    case .uniqueCount:
      return Int128(Set(samples.map(\.quantity)).count) * Quantity.attosPerUnit
    }
  }
}
