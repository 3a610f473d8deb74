internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import Synchronization

/// A statement of which a file has the first charges.
struct FocusPause {
  let statement: Statement
  /// What these come to.
  var charged: Cost
  var stream: ChargeStream
  /// How many they are.
  private(set) var count: Int64

  /// Goes past a few charges that an earlier part has; false where there are none.
  mutating func pass() throws(BillsProblem) -> Bool {
    var (sum, passed): (Cost?, Int64) = (charged, 0)
    let isMore = try next { charge in
      sum = sum?.adding(charge.cost)
      passed += 1
    }
    guard let sum else { throw .focus(.tooLarge(subscription: statement.subscription.id)) }
    charged = sum
    count += passed
    return isMore
  }

  /// Writes the next few charges; false where there are none.
  mutating func write(into writer: inout FocusWriter) throws(BillsProblem) -> Bool {
    var failure: FocusError?
    var written: Int64 = 0
    let isMore = try next { charge in
      guard failure == nil else { return }
      do throws(FocusError) { try writer.add(charge) } catch { failure = error }
      written += 1
    }
    if let failure { throw .focus(failure) }
    count += written
    return isMore
  }

  private mutating func next(_ body: (Charge) -> Void) throws(BillsProblem) -> Bool {
    do throws(ChargeList.Problem) { return try stream.next { charge, _ in body(charge) } } catch {
      throw .list(statement.subscription.id, error)
    }
  }
}

/// Statements that are too long for one part of a file, until the next part is asked for: else each part would rate
/// again what the parts before have.
final class FocusPauses: Sendable {
  /// How many are held; each has the usage of one subscription. Whoever comes back later has it rated again.
  static let pausesMax = 2

  private struct Entry {
    let walk: FocusWalk
    let period: BillingPeriod
    let paused: FocusPause
  }

  private struct State: Sendable {
    // One is in this list or in the hands of one thread, never both.
    nonisolated(unsafe) var entries: [Entry] = []
  }

  private let state = Mutex(State())

  func put(_ paused: FocusPause, _ walk: FocusWalk, _ period: BillingPeriod) {
    // This thread gives it up here.
    nonisolated(unsafe) let entry = Entry(walk: walk, period: period, paused: paused)
    state.withLock { state in
      state.entries.append(entry)
      if state.entries.count > FocusPauses.pausesMax { state.entries.removeFirst() }
    }
  }

  /// It leaves the list, so that only this thread has it.
  func take(_ walk: FocusWalk, _ period: BillingPeriod) -> FocusPause? {
    state.withLock { state in
      let index = state.entries.lastIndex { $0.walk == walk && $0.period == period }
      // It leaves the list here.
      nonisolated(unsafe) let paused = index.map { state.entries.remove(at: $0).paused }
      return paused
    }
  }
}
