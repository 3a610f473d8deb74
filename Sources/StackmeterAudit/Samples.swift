internal import StackmeterCore

/// All events that count in each usage hour of meters that are no sum, for as long as they may be corrected.
struct Samples {
  struct Sample {
    let start: Int64
    let end: Int64
    let position: UInt64
    let attos: Int128
  }

  private var byKey: [SeriesAndHour: [EventIdentity: Sample]] = [:]

  /// What the events of a key amount to now, in attos.
  func level(_ key: SeriesAndHour, _ kind: Aggregation) -> Int128 {
    let samples = byKey[key, default: [:]].values
    switch kind {
    case .sum: return samples.reduce(0) { $0 &+ $1.attos }
    case .max: return samples.map(\.attos).max() ?? 0
    case .latest:
      return samples.max { ($0.end, $0.start, $0.position) < ($1.end, $1.start, $1.position) }?
        .attos ?? 0
    case .uniqueCount: return Int128(Set(samples.map(\.attos)).count) * Quantity.attosPerUnit
    }
  }

  mutating func add(
    _ key: SeriesAndHour, _ event: EventIdentity, start: Int64, end: Int64, position: UInt64,
    attos: Int128
  ) {
    byKey[key, default: [:]][event] = Sample(
      start: start, end: end, position: position, attos: attos)
  }

  mutating func remove(_ key: SeriesAndHour, _ event: EventIdentity) {
    byKey[key]?[event] = nil
  }

  /// Takes over the events of a key from another walk.
  mutating func put(_ key: SeriesAndHour, _ events: [EventIdentity: Sample]) {
    byKey[key] = events
  }

  /// All events, by key.
  var all: [SeriesAndHour: [EventIdentity: Sample]] { byKey }

  /// What has events in usage hours before one.
  func keys(before hour: Int64) -> [SeriesAndHour] { byKey.keys.filter { $0.hour < hour } }

  /// Forgets usage hours that nobody can correct any more.
  mutating func forget(before hour: Int64) {
    byKey = byKey.filter { $0.key.hour >= hour }
  }
}

/// What a row of one window is counted under: a series' number and a usage hour.
struct SeriesAndHour: Hashable, Comparable {
  let series: Int64
  let hour: Int64

  static func < (left: SeriesAndHour, right: SeriesAndHour) -> Bool {
    (left.series, left.hour) < (right.series, right.hour)
  }
}
