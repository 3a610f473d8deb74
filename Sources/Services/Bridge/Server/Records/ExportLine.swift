internal import StackmeterCore

/// One row of an export, as far as the bridge needs to know it: what it does not look at is passed on as it is.
///
/// The members stand in the order in which query writes them; anything else is refused, as it is no export of ours.
struct ExportLine {
  /// The row's id: cell and series, usage hour, reporting window.
  let id: ArraySlice<UInt8>
  let subscription: String
  let meter: String
  /// From the comma behind the meter up to the end of the object, without its brace: the resource, the times, the
  /// quantity, the window and the cell.
  let rest: ArraySlice<UInt8>

  /// Nil where it is another text. `line` has no line feed.
  init?(_ line: ArraySlice<UInt8>) {
    guard let parts = line.withUnsafeBytes({ Parts($0) }) else { return nil }
    let start = line.startIndex
    id = line[start + parts.id.lowerBound..<start + parts.id.upperBound]
    subscription = parts.subscription
    meter = parts.meter
    rest = line[start + parts.rest..<line.endIndex - 1]
  }
}

/// Where the parts of a line are.
private struct Parts {
  let id: Range<Int>
  let subscription: String
  let meter: String
  /// Where what is passed on begins.
  let rest: Int

  /// The name of a cell, each byte of it escaped, and what stands around it.
  private static let cellBytesMax = 64 * 6 + 16

  init?(_ line: UnsafeRawBufferPointer) {
    var scanner = Scanner(line: line)
    guard scanner.skip("{\"id\":\""), let id = scanner.plainText(),
      scanner.skip("\"contentHash\":\""), scanner.plainText() != nil,
      scanner.skip("\"subscriptionId\":"), let subscription = scanner.string(),
      scanner.skip(",\"meterId\":"), let meter = scanner.string(),
      scanner.has(",\"resourceUri\":", at: scanner.place), Parts.isWhole(scanner)
    else { return nil }
    (self.id, self.subscription, self.meter) = (id, subscription, meter)
    rest = scanner.place
  }

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

/// Goes over the bytes of a line.
private struct Scanner {
  let line: UnsafeRawBufferPointer
  var place = 0

  @inline(__always)
  func has(_ text: StaticString, at place: Int) -> Bool {
    let count = text.utf8CodeUnitCount
    guard place >= 0, place + count <= line.count, line[place] == text.utf8Start[0] else {
      return false
    }
    return UnsafeRawBufferPointer(rebasing: line[place..<place + count]).hasSameBytes(
      as: UnsafeRawBufferPointer(start: text.utf8Start, count: count))
  }

  mutating func skip(_ text: StaticString) -> Bool {
    guard has(text, at: place) else { return false }
    place += text.utf8CodeUnitCount
    return true
  }

  /// Passes a text without escapes, whose first quotation mark was passed, and the comma behind it.
  mutating func plainText() -> Range<Int>? {
    let start = place
    while place < line.count, line[place] != UInt8(ascii: "\"") { place += 1 }
    let end = place
    return skip("\",") ? start..<end : nil
  }

  /// Passes a JSON string, and gives its text.
  mutating func string() -> String? {
    guard skip("\"") else { return nil }
    let start = place
    var hasEscape = false
    while place < line.count, line[place] != UInt8(ascii: "\"") {
      if line[place] == UInt8(ascii: "\\") {
        hasEscape = true
        place += 1
      }
      place += 1
    }
    guard place < line.count else { return nil }
    place += 1
    guard hasEscape else { return String(decoding: line[start..<place - 1], as: UTF8.self) }
    return (try? JSONValue(parsing: Array(line[start - 1..<place]), limits: .event))?.string
  }
}
