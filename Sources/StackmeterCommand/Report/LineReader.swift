internal import Glibc
internal import StackmeterRuntime

/// One line of a report, without its end.
struct InputLine: Equatable {
  enum Content: Equatable {
    case bytes([UInt8])
    /// Longer than a line may be; what it held was passed over.
    case tooLong
  }

  /// From 1.
  let number: Int
  let content: Content
  /// Where the next line starts, in bytes from the start of the input.
  let endOffset: Int
  /// False for a last line that is not ended: whoever writes the file may not be done with it.
  let isEnded: Bool
}

/// Reads lines of at most `lineBytesMax` from a descriptor, in memory of a bounded size.
struct LineReader {
  static let lineBytesMax = 64 << 10
  private static let chunkBytes = 256 << 10

  private let descriptor: Int32
  private let name: String
  private var buffer: [UInt8] = []
  /// What of `buffer` was given out already.
  private var start = 0
  /// Nothing in `buffer` before this is a line's end.
  private var searched = 0
  private var isAtEnd = false
  private var offset: Int
  private var linesRead: Int
  /// The line that is being read is too long, and this much of it is gone.
  private var isSkipping = false

  /// `name` is for problems; `offset` and `lines` are where the descriptor stands already.
  init(descriptor: Int32, name: String, offset: Int = 0, lines: Int = 0) {
    self.descriptor = descriptor
    self.name = name
    self.offset = offset
    linesRead = lines
  }

  /// Whether a line, or the input's end, can be had without waiting for longer than `milliseconds`.
  mutating func hasInput(within milliseconds: Int32) -> Bool {
    if isAtEnd || nextLineEnd() != nil { return true }
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return Glibc.poll(&poll, 1, milliseconds) != 0
  }

  /// The next line, or nil at the end of the input. Blocks.
  mutating func next() throws(FileReadError) -> InputLine? {
    while true {
      if let end = nextLineEnd() {
        return line(upTo: end, ended: true)
      }
      if buffer.count - start > LineReader.lineBytesMax {
        isSkipping = true
        offset += buffer.count - start
        buffer.removeAll(keepingCapacity: true)
        (start, searched) = (0, 0)
      }
      if isAtEnd {
        guard start < buffer.count || isSkipping else { return nil }
        return line(upTo: buffer.count, ended: false)
      }
      try fill()
    }
  }

  private mutating func nextLineEnd() -> Int? {
    let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n"))
    searched = end ?? buffer.count
    return end
  }

  private mutating func line(upTo end: Int, ended: Bool) -> InputLine {
    let next = ended ? end + 1 : end
    offset += next - start
    linesRead += 1
    let isTooLong = isSkipping || end - start > LineReader.lineBytesMax
    let content: InputLine.Content = isTooLong ? .tooLong : .bytes(Array(buffer[start..<end]))
    isSkipping = false
    (start, searched) = (next, next)
    return InputLine(number: linesRead, content: content, endOffset: offset, isEnded: ended)
  }

  private mutating func fill() throws(FileReadError) {
    if start > 0 {
      buffer.removeSubrange(..<start)
      searched -= start
      start = 0
    }
    var chunk = [UInt8](repeating: 0, count: LineReader.chunkBytes)
    while true {
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else {
        throw FileReadError(path: name, problem: String(cString: strerror(errno)))
      }
      isAtEnd = count == 0
      buffer.append(contentsOf: chunk[..<count])
      return
    }
  }
}
