internal import StackmeterCore

/// Cuts a body of one event on each line into parts while it arrives, in bounded memory.
struct EventLines {
  private var buffer: [UInt8] = []
  /// Which line of the request the buffer begins with.
  private var lineIndex = 0
  /// Within a line that is too long, whose end is waited for.
  private var isSkipping = false
  private var lastPart = ContinuousClock.now
  private let words: SeriesWords.Pool

  init(_ words: SeriesWords.Pool) {
    self.words = words
  }

  /// Adds bytes; gives what must be reported before more is added: much, or what has been here for long.
  mutating func append(_ bytes: some Collection<UInt8>) -> [EventsBody] {
    guard isSkipping else {
      buffer.append(contentsOf: bytes)
      let isDue =
        buffer.count >= GatewayLimits.eventLinesPartBytes
        || ContinuousClock.now - lastPart >= GatewayLimits.eventLinesPartTime
      return isDue ? cut() : []
    }
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return [] }
    isSkipping = false
    lineIndex += 1
    return append(bytes[bytes.index(after: end)...])
  }

  /// What is left, once there is no more.
  mutating func finish() -> [EventsBody] {
    buffer.isEmpty ? [] : [take(through: buffer.count - 1)]
  }

  /// The whole lines that are there. A line without an end that is too long already is given up.
  private mutating func cut() -> [EventsBody] {
    lastPart = .now
    guard let end = buffer.lastIndex(of: UInt8(ascii: "\n")) else {
      guard buffer.count > GatewayLimits.eventLineBytesMax else { return [] }
      buffer.removeAll(keepingCapacity: true)
      isSkipping = true
      return [EventsBody(malformedLine: lineIndex, EventsBody.lineTooLong)]
    }
    return [take(through: end)]
  }

  private mutating func take(through end: Int) -> EventsBody {
    var count = 0
    let body = EventsBody(
      lines: buffer, in: 0..<end + 1, firstIndex: lineIndex,
      malformedMax: GatewayLimits.eventsRejectedMax, linesRead: &count, words)
    lineIndex += count
    buffer.removeSubrange(0...end)
    return body
  }
}
