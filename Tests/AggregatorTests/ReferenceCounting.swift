import StackmeterCore

/// What aggregates must be, from all events at once: a slow and plain second implementation.
struct Reference {
  struct Key: Hashable {
    let window: Hour
    let series: Series
    let hour: Hour
  }

  /// One accepted event or correction; `window` is the one that it was reported in.
  struct Entry {
    let event: UsageEvent
    let window: Hour
    let position: Int
  }

  /// From a position on, meters are counted by other kinds; booked in `window`.
  struct Restatement {
    let kinds: [String: Aggregation]
    let window: Hour
    let position: Int
  }

  let kinds: [String: Aggregation]
  var restatements: [Restatement] = []

  /// The events that count after the first `count` entries.
  private func counting(_ entries: some Collection<Entry>) -> [Entry] {
    let corrected = Set(entries.compactMap(\.event.targetIdentity))
    return entries.filter {
      $0.event.correction?.kind != .voids && !corrected.contains($0.event.identity)
    }
  }

  private func hours(_ event: UsageEvent) -> [Hour] {
    UsageSplit(start: event.usageStart, end: event.usageEnd, quantity: .zero).map(\.hour)
  }

  private func level(
    _ entries: [Entry], _ series: Series, _ hour: Hour, by kinds: [String: Aggregation]
  ) -> Int128 {
    let own = entries.filter { $0.event.series == series && hours($0.event).contains(hour) }
    switch kinds[series.meter]! {
    case .sum:
      return own.reduce(0) { sum, entry in
        let split = UsageSplit(
          start: entry.event.usageStart, end: entry.event.usageEnd, quantity: entry.event.quantity)
        return sum + split.first { $0.hour == hour }!.quantity.attos
      }
    case .max: return own.map(\.event.quantity.attos).max() ?? 0
    case .latest:
      return own.max {
        ($0.event.usageEnd, $0.event.usageStart, $0.position)
          < ($1.event.usageEnd, $1.event.usageStart, $1.position)
      }?.event.quantity.attos ?? 0
    case .uniqueCount:
      return Int128(Set(own.map(\.event.quantity)).count) * Quantity.attosPerUnit
    }
  }

  /// Every aggregate that must be there, and no other.
  func aggregates(_ entries: [Entry]) -> [Key: Quantity] {
    var rows: [Key: Quantity] = [:]
    for window in Set(entries.map(\.window) + restatements.map(\.window)) {
      let before = counting(entries.filter { $0.window < window })
      let after = counting(entries.filter { $0.window <= window })
      let kindsBefore = restatements.last { $0.window < window }?.kinds ?? kinds
      let kindsAfter = restatements.last { $0.window <= window }?.kinds ?? kinds
      func touch(_ series: Series, _ hour: Hour) {
        let delta =
          level(after, series, hour, by: kindsAfter) - level(before, series, hour, by: kindsBefore)
        rows[Key(window: window, series: series, hour: hour)] = Quantity(attos: delta)
      }
      for entry in entries where entry.window == window {
        let target = entry.event.targetIdentity.flatMap { identity in
          entries.first { $0.event.identity == identity }?.event
        }
        let content = entry.event.correction?.kind == .voids ? nil : entry.event
        for event in [target, content].compactMap({ $0 }) {
          for hour in hours(event) { touch(event.series, hour) }
        }
      }
      for (index, restatement) in restatements.enumerated() where restatement.window == window {
        let old = index == 0 ? kinds : restatements[index - 1].kinds
        let counted = counting(entries.filter { $0.position < restatement.position })
        for event in counted.map(\.event) {
          for hour in hours(event)
          where level(counted, event.series, hour, by: old)
            != level(counted, event.series, hour, by: restatement.kinds)
          { touch(event.series, hour) }
        }
      }
    }
    return rows
  }
}
