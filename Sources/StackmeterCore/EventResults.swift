/// What became of the events of a batch: one result for each, in order, kept as runs of events that fared alike.
package struct EventResults: Hashable, Sendable {
  /// `count` events in a row. Positions and times of the accepted ones follow without gaps, as do the positions
  /// of duplicates; refused ones are alike in all.
  package struct Run: Hashable, Sendable {
    package var count: Int
    package let first: EventResult

    package init(count: Int, first: EventResult) {
      self.count = count
      self.first = first
    }

    /// Whether the next event's result makes the run longer.
    fileprivate func isFollowed(by result: EventResult) -> Bool {
      // What most events are is compared without its texts.
      switch (first, result) {
      case (.accepted(let position, let time), .accepted(let next, let nextTime)):
        next == position &+ UInt64(count)
          && nextTime.nanoseconds == time.nanoseconds &+ Int64(count)
      case (.accepted, _), (_, .accepted): false
      default: first.following(count) == result
      }
    }
  }

  package private(set) var runs: [Run] = []
  package private(set) var count = 0

  package init() {}

  package init(_ results: some Sequence<EventResult>) {
    for result in results { append(result) }
  }

  /// Adds `count` events of which this is the first one's result.
  package mutating func append(_ result: EventResult, count: Int = 1) {
    guard count > 0 else { return }
    self.count += count
    if let last = runs.indices.last, runs[last].isFollowed(by: result) {
      runs[last].count += count
    } else {
      runs.append(Run(count: count, first: result))
    }
  }
}

extension EventResults: Sequence {
  package struct Iterator: IteratorProtocol {
    fileprivate let runs: [Run]
    private var run = 0
    private var offset = 0

    fileprivate init(runs: [Run]) { self.runs = runs }

    package mutating func next() -> EventResult? {
      guard run < runs.count else { return nil }
      let result = runs[run].first.following(offset)
      offset += 1
      if offset == runs[run].count { (run, offset) = (run + 1, 0) }
      return result
    }
  }

  package func makeIterator() -> Iterator { Iterator(runs: runs) }
  package var underestimatedCount: Int { count }
}

extension EventResult {
  /// The result `offset` events later in the same run.
  fileprivate func following(_ offset: Int) -> EventResult {
    switch self {
    case .accepted(let position, let time):
      .accepted(
        position: position &+ UInt64(offset),
        reportedTime: Instant(nanoseconds: time.nanoseconds &+ Int64(offset)))
    case .duplicate(let position): .duplicate(position: position &+ UInt64(offset))
    case .parked(let position): .parked(position: position &+ UInt64(offset))
    case .conflict, .quarantined, .invalid: self
    }
  }
}
