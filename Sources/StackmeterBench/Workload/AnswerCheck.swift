package import StackmeterCore

/// Compares every answer of one reporter with what it must be: new events accepted at positions without gaps,
/// retries answered as duplicates with the position of the first time.
package struct AnswerCheck: Sendable {
  /// The first new event of each answered batch and the position that it got.
  private var firstNumbers: [UInt64] = []
  private var firstPositions: [UInt64] = []
  package private(set) var accepted: UInt64 = 0
  package private(set) var duplicates: UInt64 = 0

  package init() {}

  /// Takes the answers to one batch, in the order in which the batches were written.
  package mutating func take(
    _ results: some Sequence<EventResult>, _ expected: ExpectedAnswers
  ) throws(BenchFailure) {
    var newSeen: UInt64 = 0
    var retry = 0
    var slot = 0
    for result in results {
      let isRetry = retry < expected.retries.count && expected.retries[retry].slot == slot
      switch result {
      case .accepted(let position, _) where !isRetry:
        if newSeen == 0 {
          firstNumbers.append(expected.firstNew)
          firstPositions.append(position)
        }
        guard position == firstPositions[firstPositions.count - 1] + newSeen else {
          throw BenchFailure(
            "event \(expected.firstNew + newSeen) was accepted at position \(position), "
              + "but \(firstPositions[firstPositions.count - 1] + newSeen) was next")
        }
        newSeen += 1
      case .duplicate(let position) where isRetry:
        let number = expected.retries[retry].number
        guard position == self.position(of: number) else {
          throw BenchFailure(
            "event \(number) was accepted at position \(self.position(of: number)), "
              + "and its retry answered with \(position)")
        }
        retry += 1
      case let other:
        throw BenchFailure(
          "\(isRetry ? "a retry" : "a new event"), slot \(slot), was answered with \(other)")
      }
      slot += 1
    }
    guard slot == expected.count else {
      throw BenchFailure("\(slot) results for \(expected.count) events")
    }
    accepted += newSeen
    duplicates += UInt64(retry)
  }

  /// The position of an event that was accepted.
  package func position(of number: UInt64) -> UInt64 {
    var low = 0
    var high = firstNumbers.count
    while low < high {
      let middle = (low + high) / 2
      if firstNumbers[middle] <= number { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return 0 }
    return firstPositions[low - 1] + (number - firstNumbers[low - 1])
  }
}
