package import StackmeterCore

/// What journal records add to one reporting window.
package struct WindowChange: Sendable {
  package var window: Hour
  /// By key, each once.
  package var sums: [SumDelta]
  /// In the order of the journal.
  package var samples: [SampleChange]
  /// Where the window ended; nil while it is open.
  package var endPosition: UInt64?
  /// The sources that were behind when it ended.
  package var missing: MissingSources

  package init(
    window: Hour, sums: [SumDelta] = [], samples: [SampleChange] = [], endPosition: UInt64? = nil,
    missing: MissingSources = .none
  ) {
    self.window = window
    self.sums = sums
    self.samples = samples
    self.endPosition = endPosition
    self.missing = missing
  }

  package var isEmpty: Bool { sums.isEmpty && samples.isEmpty }
}

/// What one aggregate of a meter that is a sum grows by, in attos.
package struct SumDelta: Hashable, Sendable {
  package var key: SeriesHour
  package var sum: Int128
  /// The least and the greatest that `sum` was on its way, 0 among them: what the aggregate must be able to hold.
  package var least: Int128
  package var greatest: Int128
  /// Of the last event in it.
  package var position: UInt64

  package init(
    key: SeriesHour, sum: Int128, least: Int128, greatest: Int128, position: UInt64
  ) {
    self.key = key
    self.sum = sum
    self.least = least
    self.greatest = greatest
    self.position = position
  }
}

/// A sample that comes, or goes because its event was corrected.
package struct SampleChange: Hashable, Sendable {
  package var sample: UsageSample
  package var isRemoval: Bool

  package init(_ sample: UsageSample, isRemoval: Bool) {
    self.sample = sample
    self.isRemoval = isRemoval
  }
}

/// 16 bytes that stand for an event's identity.
package struct SampleID: Hashable, Sendable {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Its bytes, the first eight big-endian, then the others.
  package var bytes: [UInt8] {
    withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
  }
}
