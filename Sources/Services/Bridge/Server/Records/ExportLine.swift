internal import Glibc
internal import StackmeterCore

/// One row of an export, as far as the bridge needs to know it: what it does not look at is passed on as it is.
///
/// The members stand in the order in which query writes them; anything else is refused, as it is no export of ours.
/// Its parts lie in the line's bytes, and live as long as those.
struct ExportLine {
  /// The row's id: cell and series, usage hour, reporting window.
  let id: UnsafeRawBufferPointer
  /// The members that say the subscription and the meter. Neighbours mostly have the same.
  let names: UnsafeRawBufferPointer
  /// From the comma behind the meter up to the end of the object, without its brace: the resource, the times, the
  /// quantity, the window and the cell.
  let rest: UnsafeRawBufferPointer

  /// Nil where it is another text. `line` has no line feed.
  init?(_ line: UnsafeRawBufferPointer) {
    var scanner = Scanner(line: line)
    guard scanner.skip("{\"id\":\""), let id = scanner.plainText(),
      scanner.skip("\"contentHash\":\""), scanner.plainText() != nil
    else { return nil }
    let start = scanner.place
    guard scanner.skip("\"subscriptionId\":"), scanner.string() != nil,
      scanner.skip(",\"meterId\":"), scanner.string() != nil,
      scanner.has(",\"resourceUri\":", at: scanner.place), ExportLine.isWhole(scanner)
    else { return nil }
    self.id = id
    names = scanner.bytes(start..<scanner.place)
    rest = scanner.bytes(scanner.place..<line.count - 1)
  }

  /// The texts of `names`; nil where their escapes are wrong.
  var texts: (subscription: String, meter: String)? {
    var scanner = Scanner(line: names)
    guard scanner.skip("\"subscriptionId\":"), let subscription = scanner.string(),
      scanner.skip(",\"meterId\":"), let meter = scanner.string(),
      let subscription = ExportLine.text(subscription), let meter = ExportLine.text(meter)
    else { return nil }
    return (subscription, meter)
  }

  private static func text(_ quoted: UnsafeRawBufferPointer) -> String? {
    guard quoted.contains(UInt8(ascii: "\\")) else {
      return String(decoding: quoted.dropFirst().dropLast(), as: UTF8.self)
    }
    return (try? JSONValue(parsing: Array(quoted), limits: .event))?.string
  }

  /// The name of a cell, each byte of it escaped, and what stands around it.
  private static let cellBytesMax = 64 * 6 + 16

  /// Whether the last member is there, and ends the line. No text has its name with quotation marks that are not
  /// escaped.
  private static func isWhole(_ scanner: Scanner) -> Bool {
    let end = scanner.line.count
    guard scanner.has("\"}", at: end - 2) else { return false }
    var place = end - 2
    while place > max(scanner.place, end - cellBytesMax) {
      place -= 1
      if scanner.has("\",\"cell\":\"", at: place) { return true }
    }
    return false
  }
}

/// The lines of an export's part, one after the other. Each ends with a line feed.
struct ExportLines {
  private let bytes: UnsafeRawBufferPointer
  private var place = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  /// Without its line feed; nil behind the last one.
  mutating func next() -> UnsafeRawBufferPointer? {
    guard let start = bytes.baseAddress, place < bytes.count,
      let found = memchr(start + place, Int32(UInt8(ascii: "\n")), bytes.count - place)
    else { return nil }
    let end = UnsafeRawPointer(found) - start
    defer { place = end + 1 }
    return UnsafeRawBufferPointer(rebasing: bytes[place..<end])
  }

  /// Whether everything was given.
  var isAtEnd: Bool { place == bytes.count }

  static func count(_ bytes: UnsafeRawBufferPointer) -> Int {
    var (lines, count) = (ExportLines(bytes), 0)
    while lines.next() != nil { count += 1 }
    return count
  }
}

/// Goes over the bytes of a line.
private struct Scanner {
  let line: UnsafeRawBufferPointer
  var place = 0

  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: line[range])
  }

  @inline(__always)
  func has(_ text: StaticString, at place: Int) -> Bool {
    let count = text.utf8CodeUnitCount
    guard place >= 0, place + count <= line.count, line[place] == text.utf8Start[0] else {
      return false
    }
    return bytes(place..<place + count).hasSameBytes(
      as: UnsafeRawBufferPointer(start: text.utf8Start, count: count))
  }

  mutating func skip(_ text: StaticString) -> Bool {
    guard has(text, at: place) else { return false }
    place += text.utf8CodeUnitCount
    return true
  }

  /// Passes a text without escapes, whose first quotation mark was passed, and the comma behind it.
  mutating func plainText() -> UnsafeRawBufferPointer? {
    let start = place
    while place < line.count, line[place] != UInt8(ascii: "\"") { place += 1 }
    let end = place
    return skip("\",") ? bytes(start..<end) : nil
  }

  /// Passes a JSON string, and gives it with its quotation marks and escapes.
  mutating func string() -> UnsafeRawBufferPointer? {
    let start = place
    guard skip("\"") else { return nil }
    while place < line.count, line[place] != UInt8(ascii: "\"") {
      place += line[place] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard place < line.count else { return nil }
    place += 1
    return bytes(start..<place)
  }
}
