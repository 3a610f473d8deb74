package import StackmeterCore
package import StackmeterRating
internal import StackmeterStore

/// What the statements of a subscription have covered before a period, and what is left for that period's.
package struct StatementHistory: Sendable {
  /// The period of the last closed statement; nil where there is none.
  package let last: BillingPeriod?
  /// The windows before it are covered.
  package let coveredUntil: Hour
  package let openWindow: Hour
  /// All windows of the period are closed.
  package let isEnded: Bool
  /// An earlier period that has usage and no statement; what came late is then not asked for.
  package let earlierOpen: BillingPeriod?
  /// The windows that can have usage of the period, and those that can have late usage of earlier ones.
  let ownWindows: Range<Hour>
  let lateWindows: Range<Hour>
  let lateHours: Range<Hour>
  let rated: RatingState
  let commitments: [BillingPeriod: CommitmentState]
  private let texts: [RatedKey: String]

  private struct RatedKey: Hashable {
    let period: BillingPeriod
    let meter: ExactText
  }

  /// In a snapshot of the reader. `until` is where the statement of the period ends; nil for one that is not closed.
  /// `openWindow` is the one that was open when a walk began; nil for now.
  init(
    _ reader: any UsageReader, _ subscription: String, _ cards: RateCards, _ period: BillingPeriod,
    until: Hour? = nil, openWindow begun: Hour? = nil
  ) throws(StoreError) {
    let openWindow = min(begun ?? .max, try reader.openWindow())
    let statement = try reader.lastStatement(of: subscription, before: period.start)
    let covered = statement?.windows.upperBound ?? .min
    let end = until ?? .max
    self.openWindow = until.map { min($0, openWindow) } ?? openWindow
    last = statement.map { BillingPeriod(containing: $0.period.lowerBound) }
    coveredUntil = covered
    isEnded = openWindow >= period.end.firstHour
    ownWindows = min(period.firstWindow, end)..<end

    // Between the last statement, or the first day that has prices, and this period nothing may be used.
    let gapStart =
      statement?.period.upperBound
      ?? BillingPeriod(containing: cards.book.versions[0].effective).start
    var earlierOpen: BillingPeriod?
    if gapStart < period.start {
      // What is no longer kept cannot be billed any more.
      let kept = statement == nil ? try reader.position().retainedFrom : .min
      let first = max(gapStart.firstHour, Hour(index: kept.index + 1))
      let windows =
        Hour(index: first.index - 1)..<max(Hour(index: first.index - 1), min(end, openWindow))
      if first < period.start.firstHour, !windows.isEmpty {
        let used = try reader.locatedUsage(
          of: subscription, windows: windows, hours: first..<period.start.firstHour)
        earlierOpen = used.map(\.day).min().map { BillingPeriod(containing: $0) }
      }
    }
    self.earlierOpen = earlierOpen

    if let statement, earlierOpen == nil {
      let first = try reader.statements(
        StatementFilter(subscriptions: [subscription]), after: nil, limit: 1
      ).first?.period.lowerBound
      lateWindows = min(covered, end)..<end
      lateHours = (first ?? statement.period.lowerBound).firstHour..<period.start.firstHour
    } else {
      lateWindows = Hour.min..<Hour.min
      lateHours = Hour.min..<Hour.min
    }

    var rated = RatingState()
    var commitments: [BillingPeriod: CommitmentState] = [:]
    var texts: [RatedKey: String] = [:]
    for state in try reader.ratedStates(of: subscription, before: period.start) {
      let of = BillingPeriod(containing: state.period)
      texts[RatedKey(period: of, meter: ExactText(state.meter))] = state.state
      if state.meter.isEmpty, let commitment = CommitmentState(parsing: state.state) {
        commitments[of] = commitment
      } else if let meter = MeterState(parsing: state.state) {
        rated[MeterPeriod(subscription: subscription, meter: state.meter, period: of)] = meter
      } else {
        throw StoreError(
          .system,
          "what was rated of subscription \(subscription), meter \(state.meter) in \(of) cannot be read"
        )
      }
    }
    if until != nil {
      // Who was in which group was decided when the statement was closed.
      for state in try reader.ratedStates(of: subscription, ofStatementOf: period.start)
      where state.period == period.start && !state.meter.isEmpty {
        guard let meter = MeterState(parsing: state.state) else { continue }
        rated[MeterPeriod(subscription: subscription, meter: state.meter, period: period)] =
          meter.groupsOnly
      }
    }
    self.rated = rated
    self.commitments = commitments
    self.texts = texts
  }

  /// What a statement leaves that is other than what was there before.
  func changes(
    _ rated: RatingState, _ commitments: [BillingPeriod: CommitmentState]
  ) -> [RatedState] {
    var changes: [RatedState] = []
    func add(_ period: BillingPeriod, _ meter: String, _ text: String) {
      guard texts[RatedKey(period: period, meter: ExactText(meter))] != text else { return }
      changes.append(RatedState(period: period.start, meter: meter, state: text))
    }
    for (key, state) in rated.meters { add(key.period, key.meter, state.text) }
    for (period, state) in commitments { add(period, "", state.text) }
    return changes.sorted {
      $0.period != $1.period
        ? $0.period < $1.period : $0.meter.utf8.lexicographicallyPrecedes($1.meter.utf8)
    }
  }
}

extension BillingPeriod {
  /// The first reporting window that may have usage of it: usage may be reported up to five minutes early.
  var firstWindow: Hour { Hour(index: start.firstHour.index - 1) }
}
