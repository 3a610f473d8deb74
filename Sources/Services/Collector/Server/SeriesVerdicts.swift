internal import StackmeterCore
internal import StackmeterJournal

/// What the rules say of the series that were reported lately, and their digests: reporters name the same ones again
/// and again. Bounded; the catalog stays the same for the life of the process.
struct SeriesVerdicts {
  struct Known {
    let verdict: EventRules.SeriesVerdict
    /// Of the canonical series; 0 where there is none.
    let digest: UInt64
  }

  private let countMax: Int
  private var known: [Series: Known] = [:]

  init(countMax: Int = 1 << 16) {
    self.countMax = countMax
  }

  mutating func verdict(_ series: Series, _ rules: EventRules, _ hasher: EventHasher) -> Known {
    if let found = known[series] { return found }
    let verdict = rules.verdict(series)
    var digest: UInt64 = 0
    if case .canonical(let canonical) = verdict { digest = hasher.digest(canonical) }
    if known.count >= countMax { known.removeAll(keepingCapacity: true) }
    let found = Known(verdict: verdict, digest: digest)
    // A series whose texts are too long would hold much memory for nothing.
    if case .malformed = verdict { return found }
    known[series] = found
    return found
  }
}
