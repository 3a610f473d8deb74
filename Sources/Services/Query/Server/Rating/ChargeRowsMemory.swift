internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
internal import Synchronization

/// Usage that was read for charges of some subscriptions, kept for the next question of the same walk: the parts of a
/// file have a few subscriptions each, and what is read for many of them together costs little more than for one.
///
/// It is of closed windows, and so never another.
final class ChargeRowsMemory: Sendable {
  /// What is remembered of several walks at once.
  static let entriesMax = 4

  private struct Entry {
    let period: BillingPeriod
    let openWindow: Hour
    let rows: ChargeRows
    /// The subscription behind which it is of no use to the walk that has read it.
    let last: String
  }

  private struct State {
    /// What was used last comes last.
    var entries: [Entry] = []
    /// How many subscriptions are read together: fewer where they have much usage.
    var atOnce = BillsLimits.rowsOfSubscriptionsMax
  }

  private let state = Mutex(State())

  /// The rows of some subscriptions, one among them, as they are remembered or read now; nil where that one alone has
  /// more than may be held.
  ///
  /// - Parameters:
  ///   - subscriptions: The one and those behind it, at most so many.
  ///   - read: Reads usage of some; nil where it is too much.
  func rows(
    of subscription: String, _ period: BillingPeriod, _ openWindow: Hour,
    _ subscriptions: (_ count: Int) throws(StoreError) -> [String],
    _ read: ([String]) throws(StoreError) -> ChargeRows?
  ) throws(StoreError) -> ChargeRows? {
    if let known = known(subscription, period, openWindow) { return known }
    var some = try subscriptions(state.withLock { $0.atOnce })[...]
    while true {
      if let rows = try read(Array(some)) {
        if some.count > 1, let last = some.last {
          remember(Entry(period: period, openWindow: openWindow, rows: rows, last: last))
        }
        return rows
      }
      guard some.count > 1 else { return nil }
      some = some.prefix(max(1, some.count / 4))
      let count = some.count
      state.withLock { $0.atOnce = count }
    }
  }

  private func known(
    _ subscription: String, _ period: BillingPeriod, _ openWindow: Hour
  ) -> ChargeRows? {
    state.withLock { state in
      let index = state.entries.lastIndex {
        $0.period == period && $0.openWindow == openWindow && $0.rows.has(subscription)
      }
      guard let index else { return nil }
      let entry = state.entries.remove(at: index)
      if !entry.last.hasSameBytes(as: subscription) { state.entries.append(entry) }
      return entry.rows
    }
  }

  private func remember(_ entry: Entry) {
    state.withLock { state in
      state.entries.append(entry)
      if state.entries.count > ChargeRowsMemory.entriesMax { state.entries.removeFirst() }
      // It grows again where little was used.
      state.atOnce = min(BillsLimits.rowsOfSubscriptionsMax, state.atOnce * 2)
    }
  }
}
