/// Tells on standard error how far a walk through the journal is: one line redrawn on a terminal, else a line now and
/// then.
final class PositionProgress {
  private let stream = StandardStream.error
  private let verb: String
  private var lastShown = ContinuousClock.now
  private var isLineOpen = false

  /// `verb` says what is done: `verified`.
  init(_ verb: String) {
    self.verb = verb
  }

  func show(_ position: UInt64, _ end: UInt64) {
    let now = ContinuousClock.now
    guard now - lastShown >= (stream.isTerminal ? .milliseconds(200) : .seconds(5)) else { return }
    lastShown = now
    let text = Self.text(verb, position, end)
    stream.write(stream.isTerminal ? "\r\(text)\u{1B}[K" : text + "\n")
    isLineOpen = stream.isTerminal
  }

  /// Call before anything else is written.
  func finish() {
    if isLineOpen { stream.write("\n") }
    isLineOpen = false
  }

  static func text(_ verb: String, _ position: UInt64, _ end: UInt64) -> String {
    let percent = end == 0 ? 100 : min(100, position / max(1, end / 100))
    return "\(verb) up to position \(position) of \(end) (\(percent) %)"
  }
}
