internal import StackmeterCore
internal import StackmeterRuntime

/// A line that is refused, and why.
struct RefusedLine: Equatable {
  let line: Int
  /// Empty where the line has no id that could be read.
  let id: String
  let field: String
  let message: String
  let reason: String

  var description: String {
    let event = id.isEmpty ? "" : " id \"\(id)\":"
    let place = field.isEmpty ? "" : " \(field)"
    return terminalText("line \(line):\(event)\(place) \(message) (\(reason))")
      .replacing("\n", with: "\u{FFFD}")
  }
}

/// What was read at once: events to send, lines that are refused already, and where the reading stands.
struct EventChunk: Equatable {
  var events: [UsageEvent] = []
  /// The line of each event.
  var lines: [Int] = []
  var refused: [RefusedLine] = []
  /// After the last line that is ended.
  var endOffset: Int
  var endLine: Int
  /// Lines, without empty ones.
  var lineCount = 0
}

/// Reads usage events from NDJSON, a CloudEvent on each line.
struct EventReader {
  /// Events of one chunk, and the bytes of their lines: well below what one message may have.
  static let chunkEventsMax = 1000
  static let chunkBytesMax = 1 << 20
  /// How long what was read waits for more, where the input is slow.
  static let lingerMilliseconds: Int32 = 200

  private var lines: LineReader
  private var endOffset: Int
  private var endLine: Int

  init(descriptor: Int32, name: String, offset: Int = 0, lines: Int = 0) {
    self.lines = LineReader(descriptor: descriptor, name: name, offset: offset, lines: lines)
    endOffset = offset
    endLine = lines
  }

  /// The next chunk, or nil at the end of the input. Blocks until there is a line.
  mutating func next() throws(FileReadError) -> EventChunk? {
    var chunk = EventChunk(endOffset: endOffset, endLine: endLine)
    var bytes = 0
    var isEmpty = true
    while chunk.lineCount < EventReader.chunkEventsMax && bytes < EventReader.chunkBytesMax {
      if !isEmpty && !lines.hasInput(within: EventReader.lingerMilliseconds) { break }
      guard let line = try lines.next() else {
        if isEmpty { return nil }
        break
      }
      isEmpty = false
      if case .bytes(let content) = line.content { bytes += content.count }
      take(line, into: &chunk)
      if line.isEnded {
        chunk.endOffset = line.endOffset
        chunk.endLine = line.number
      }
    }
    endOffset = chunk.endOffset
    endLine = chunk.endLine
    return chunk
  }

  private func take(_ line: InputLine, into chunk: inout EventChunk) {
    guard case .bytes(var content) = line.content else {
      chunk.lineCount += 1
      chunk.refused.append(
        RefusedLine(
          line: line.number, id: "", field: "",
          message: "has more than \(LineReader.lineBytesMax) bytes", reason: malformed))
      return
    }
    let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    if line.number == 1 && content.starts(with: byteOrderMark) { content.removeFirst(3) }
    guard content.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return }
    chunk.lineCount += 1
    do {
      let value = try JSONValue(parsing: content, limits: .event)
      do throws(CloudEventError) {
        chunk.events.append(try UsageEvent(cloudEvent: value))
        chunk.lines.append(line.number)
      } catch {
        let id = JSONObject(value, path: "")?["id"]?.string ?? ""
        chunk.refused += error.problems.prefix(1).map { problem in
          RefusedLine(
            line: line.number, id: id, field: problem.field,
            message: error.problems.map {
              $0 == problem ? $0.message : "\($0.field) \($0.message)"
            }.joined(separator: "; "), reason: malformed)
        }
      }
    } catch {
      chunk.refused.append(
        RefusedLine(
          line: line.number, id: "", field: "", message: "\(error)", reason: malformed))
    }
  }

  private var malformed: String { Refusal.Reason.malformed.name }
}
