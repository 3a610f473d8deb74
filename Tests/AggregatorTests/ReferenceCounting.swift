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

  let kinds: [String: Aggregation]

  /// The events that count after the first `count` entries.
  private func counting(_ entries: ArraySlice<Entry>) -> [Entry] {
    let corrected = Set(entries.compactMap(\.event.targetIdentity))
    return entries.filter {
      $0.event.correction?.kind != .voids && !corrected.contains($0.event.identity)
    }
  }

  private func hours(_ event: UsageEvent) -> [Hour] {
    UsageSplit(start: event.usageStart, end: event.usageEnd, quantity: .zero).map(\.hour)
  }

  private func level(_ entries: [Entry], _ series: Series, _ hour: Hour) -> Int128 {
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
    var start = 0
    while start < entries.count {
      let window = entries[start].window
      let end = entries[start...].firstIndex { $0.window != window } ?? entries.count
      let (before, after) = (counting(entries[..<start]), counting(entries[..<end]))
      for entry in entries[start..<end] {
        let target = entry.event.targetIdentity.flatMap { identity in
          entries.first { $0.event.identity == identity }?.event
        }
        let content = entry.event.correction?.kind == .voids ? nil : entry.event
        for event in [target, content].compactMap({ $0 }) {
          for hour in hours(event) {
            let delta =
              level(after, event.series, hour) - level(before, event.series, hour)
            rows[Key(window: window, series: event.series, hour: hour)] = Quantity(attos: delta)
          }
        }
      }
      start = end
    }
    return rows
  }
}
