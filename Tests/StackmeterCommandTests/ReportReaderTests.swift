internal import Glibc
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterTesting
internal import StackmeterWire
internal import Testing

@testable import StackmeterCommand

/// A line of a report that is good.
func eventLine(_ id: String, source: String = "cloud", quantity: String = "1") -> String {
  #"{"specversion":"1.0","type":"stackmeter.usage.v1","id":"\#(id)","source":"\#(source)","#
    + #""subject":"alice","time":"2026-11-23T15:00:00Z","data":{"meter":"m","#
    + #""quantity":\#(quantity),"resourceUri":"/vm"}}"#
}

struct ReportReaderTests {
  private func lines(_ text: String) throws -> [InputLine] {
    let directory = try TemporaryDirectory()
    let descriptor = open(try directory.write("input", text), O_RDONLY)
    defer { close(descriptor) }
    var reader = LineReader(descriptor: descriptor, name: "input")
    var lines: [InputLine] = []
    while let line = try reader.next() { lines.append(line) }
    return lines
  }

  private func chunks(_ text: String, offset: Int = 0, lines: Int = 0) throws -> [EventChunk] {
    let directory = try TemporaryDirectory()
    let descriptor = open(try directory.write("input", text), O_RDONLY)
    defer { close(descriptor) }
    lseek(descriptor, off_t(offset), SEEK_SET)
    var reader = EventReader(descriptor: descriptor, name: "input", offset: offset, lines: lines)
    var chunks: [EventChunk] = []
    while let chunk = try reader.next() { chunks.append(chunk) }
    return chunks
  }

  @Test
  func `lines have numbers and places, and the last one needs no end`() throws {
    #expect(
      try lines("ab\n\nc") == [
        InputLine(number: 1, content: .bytes(Array("ab".utf8)), endOffset: 3, isEnded: true),
        InputLine(number: 2, content: .bytes([]), endOffset: 4, isEnded: true),
        InputLine(number: 3, content: .bytes(Array("c".utf8)), endOffset: 5, isEnded: false),
      ])
    #expect(try lines("") == [])
  }

  @Test(arguments: [1, 64 << 10, 300_000, 1_000_000])
  func `a line that is too long is passed over, and the next one is read`(_ excess: Int) throws {
    let long = String(repeating: "x", count: LineReader.lineBytesMax + excess)
    let whole = String(repeating: "y", count: LineReader.lineBytesMax)
    let lines = try lines("a\n\(long)\n\(whole)\n\(long)")
    #expect(lines.map(\.number) == [1, 2, 3, 4])
    #expect(lines[1].content == .tooLong)
    #expect(lines[1].endOffset == 2 + long.utf8.count + 1)
    #expect(lines[2].content == .bytes(Array(whole.utf8)))
    #expect(lines[3].content == .tooLong)
    #expect(!lines[3].isEnded)
    #expect(lines[3].endOffset == 2 + 2 * long.utf8.count + 1 + whole.utf8.count + 1)
  }

  @Test
  func `empty lines, Windows line ends and a byte order mark are no events`() throws {
    let chunk = try #require(
      try chunks("\u{FEFF}" + eventLine("a") + "\r\n\n  \t\r\n" + eventLine("b") + "\n").first)
    #expect(chunk.events.map(\.id) == ["a", "b"])
    #expect(chunk.lines == [1, 4])
    #expect(chunk.lineCount == 2)
    #expect(chunk.refused == [])
  }

  @Test
  func `a line that is no event is refused with its number, id, field and reason`() throws {
    let text = [eventLine("a", quantity: "\"much\""), "{]", eventLine("b"), "17"]
      .joined(separator: "\n")
    let chunk = try #require(try chunks(text).first)
    #expect(
      chunk.refused.map(\.description) == [
        "line 1: id \"a\": data.quantity is not a decimal number such as 12.5 or -3e-2 (Malformed)",
        "line 2: not valid JSON at byte 1: a member's name must be a string (Malformed)",
        "line 4: must be a JSON object (Malformed)",
      ])
    #expect(chunk.events.map(\.id) == ["b"])
    #expect(chunk.lines == [3])
  }

  @Test
  func `bytes that are not UTF-8 refuse their line only`() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write("input", "")
    let descriptor = open(path, O_RDWR)
    defer { close(descriptor) }
    let bytes = Array("\"".utf8) + [0xFF, 0x22, 0x0A] + Array(eventLine("b").utf8)
    _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    lseek(descriptor, 0, SEEK_SET)
    var reader = EventReader(descriptor: descriptor, name: "input")
    let chunk = try #require(try reader.next())
    #expect(
      chunk.refused.map(\.message) == ["not valid JSON at byte 0: a string is not UTF-8"])
    #expect(chunk.events.map(\.id) == ["b"])
  }

  @Test
  func `chunks are bounded, and reading goes on from any of their ends`() throws {
    let text = (0..<2500).map { eventLine("e\($0)") + "\n" }.joined()
    let all = try chunks(text)
    #expect(all.map(\.events.count) == [1000, 1000, 500])
    #expect(all[2].endOffset == text.utf8.count)
    let rest = try chunks(text, offset: all[0].endOffset, lines: all[0].endLine)
    #expect(rest.flatMap(\.events) == all[1...].flatMap(\.events))
    #expect(rest[0].lines.first == 1001)
  }

  @Test
  func `a last line without an end is sent and is not yet a place to go on from`() throws {
    let chunk = try #require(try chunks(eventLine("a") + "\n" + eventLine("b")).first)
    #expect(chunk.events.map(\.id) == ["a", "b"])
    #expect(chunk.endLine == 1)
    #expect(chunk.endOffset == eventLine("a").utf8.count + 1)
  }

  @Test
  func `a checkpoint is kept, and refuses another file`() throws {
    let directory = try TemporaryDirectory()
    let descriptor = open(try directory.write("input", "one\ntwo\n"), O_RDONLY)
    let other = open(try directory.write("other", "uno\ndos\n"), O_RDONLY)
    defer {
      close(descriptor)
      close(other)
    }
    let path = "\(directory.path)/checkpoint"
    #expect(try Checkpoint(path: path) == nil)
    let checkpoint = try Checkpoint(position: .init(offset: 4, lines: 1), descriptor: descriptor)
    try checkpoint.write(path)
    #expect(try Checkpoint(path: path) == checkpoint)
    try checkpoint.requireMatch("input", descriptor: descriptor)
    #expect(throws: CommandFailure.self) {
      try checkpoint.requireMatch("other", descriptor: other)
    }
    _ = try directory.write("checkpoint", "{\"offset\": -1}")
    #expect(throws: CommandFailure.self) { try Checkpoint(path: path) }
  }
}
