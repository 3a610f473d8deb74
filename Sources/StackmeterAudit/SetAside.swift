internal import StackmeterCore
internal import StackmeterStore

/// What the usage database has kept aside: quantities that are in the journal and in no aggregate.
struct SetAside {
  private struct Key: Hashable {
    let window: Int64
    let row: SeriesAndHour
  }

  private var sums: [Key: Int128] = [:]
  private var rows: [SeriesAndHour: Hour] = [:]
  /// Quantities of series without a number, by window.
  private(set) var unnumbered: [Hour: Int] = [:]

  /// What was kept aside for events in front of a position.
  init(_ quantities: [UnappliedQuantity], before position: UInt64) {
    for entry in quantities where entry.position < position {
      guard let series = entry.series else {
        unnumbered[entry.window, default: 0] += 1
        continue
      }
      let row = SeriesAndHour(series: series, hour: entry.usageHour.index)
      let key = Key(window: entry.window.index, row: row)
      sums[key] = sums[key, default: 0] &+ entry.quantity.attos
      rows[row] = min(rows[row] ?? entry.window, entry.window)
    }
  }

  /// What is missing in a row of a sum.
  func sum(_ row: SeriesAndHour, in window: Hour) -> Int128 {
    sums[Key(window: window.index, row: row)] ?? 0
  }

  /// Whether a sample of this row was kept aside in this window or before: what it would have made of the row is
  /// nowhere then.
  func hasSample(_ row: SeriesAndHour, upTo window: Hour) -> Bool {
    rows[row].map { $0 <= window } ?? false
  }
}

extension SeriesAndHour {
  init(_ key: SeriesHour) {
    self.init(series: key.series, hour: key.usageHour.index)
  }
}
