internal import StackmeterRuntime
internal import Synchronization

/// Tells on standard error how a report goes: one line redrawn on a terminal, else a line now and then.
final class ReportProgress: Sendable {
  private struct State {
    var lastShown: ContinuousClock.Instant
    var isLineOpen = false
    var isWaiting = false
  }

  private let stream = StandardStream.error
  private let isTerminal: Bool
  private let start: ContinuousClock.Instant
  private let state: Mutex<State>

  init() {
    start = ContinuousClock.now
    isTerminal = stream.isTerminal
    state = Mutex(State(lastShown: start))
  }

  func show(_ tally: ReportLedger.Tally) {
    state.withLock { state in
      state.isWaiting = false
      let now = ContinuousClock.now
      guard now - state.lastShown >= (isTerminal ? .milliseconds(200) : .seconds(10)) else {
        return
      }
      state.lastShown = now
      let text = ReportProgress.text(tally, elapsed: now - start)
      stream.write(isTerminal ? "\r\(text)\u{1B}[K" : text + "\n")
      state.isLineOpen = isTerminal
    }
  }

  func show(_ lines: [RefusedLine]) {
    state.withLock { state in
      closeLine(&state)
      stream.write(lines.map { "stackmeter: \($0.description)\n" }.joined())
    }
  }

  /// Once for each time that the collector goes away.
  func showWaiting(_ reason: String) {
    state.withLock { state in
      guard !state.isWaiting else { return }
      state.isWaiting = true
      closeLine(&state)
      stream.write("stackmeter: \(terminalText(reason)); trying again\n")
    }
  }

  func finish(_ tally: ReportLedger.Tally) {
    state.withLock { state in
      closeLine(&state)
      stream.write(ReportProgress.text(tally, elapsed: ContinuousClock.now - start) + "\n")
    }
  }

  private func closeLine(_ state: inout State) {
    if state.isLineOpen { stream.write("\r\u{1B}[K") }
    state.isLineOpen = false
  }

  static func text(_ tally: ReportLedger.Tally, elapsed: Duration) -> String {
    let milliseconds = max(
      1, elapsed.components.seconds * 1000 + elapsed.components.attoseconds / 1_000_000_000_000_000)
    let done = tally.accepted + tally.duplicates + tally.parked + tally.refused
    let parked = tally.parked == 0 ? "" : "\(tally.parked) parked, "
    return
      "\(tally.lines) lines: \(tally.accepted) accepted, \(tally.duplicates) duplicates, "
      + parked + "\(tally.refused) refused, \(Int64(done) * 1000 / milliseconds) events/s"
  }
}
