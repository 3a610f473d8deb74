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

  private static let start = Array("{\"id\":\"".utf8)
  private static let hash = Array("\"contentHash\":\"".utf8)
  private static let subscription = Array("\"subscriptionId\":".utf8)
  private static let meter = Array("\"meterId\":".utf8)
  private static let resource = Array(",\"resourceUri\":".utf8)

  /// Nil where it is another text. `line` has no line feed.
  init?(_ line: ArraySlice<UInt8>) {
    var place = line.startIndex
    func skip(_ text: [UInt8]) -> Bool {
      guard line[place...].starts(with: text) else { return false }
      place += text.count
      return true
    }
    func plainText() -> ArraySlice<UInt8>? {
      guard let end = line[place...].firstIndex(of: UInt8(ascii: "\"")),
        end + 1 < line.endIndex, line[end + 1] == UInt8(ascii: ",")
      else { return nil }
      defer { place = end + 2 }
      return line[place..<end]
    }
    guard skip(ExportLine.start), let id = plainText(), skip(ExportLine.hash), plainText() != nil,
      skip(ExportLine.subscription), let subscription = ExportLine.string(line, &place),
      skip(Array(",".utf8)), skip(ExportLine.meter),
      let meter = ExportLine.string(line, &place),
      line[place...].starts(with: ExportLine.resource), ExportLine.isWhole(line[place...])
    else { return nil }
    self.id = id
    self.subscription = subscription
    self.meter = meter
    rest = line[place..<line.endIndex - 1]
  }

  /// Whether the last member is there, and ends the line. No text has its name with quotation marks that are not
  /// escaped.
  private static func isWhole(_ rest: ArraySlice<UInt8>) -> Bool {
    guard rest.suffix(2).elementsEqual(end) else { return false }
    let tail = rest.suffix(cellBytesMax)
    return tail.indices.contains { tail[$0...].starts(with: cell) }
  }

  private static let end = Array("\"}".utf8)
  private static let cell = Array("\",\"cell\":\"".utf8)
  /// The name of a cell, each byte of it escaped, and what stands around it.
  private static let cellBytesMax = 64 * 6 + 16

  /// The text of a JSON string that begins at `place`, which is moved behind it.
  private static func string(_ line: ArraySlice<UInt8>, _ place: inout Int) -> String? {
    guard place < line.endIndex, line[place] == UInt8(ascii: "\"") else { return nil }
    var end = place + 1
    var hasEscape = false
    while end < line.endIndex, line[end] != UInt8(ascii: "\"") {
      if line[end] == UInt8(ascii: "\\") {
        hasEscape = true
        end += 1
      }
      end += 1
    }
    guard end < line.endIndex else { return nil }
    defer { place = end + 1 }
    guard hasEscape else { return String(decoding: line[place + 1..<end], as: UTF8.self) }
    return (try? JSONValue(parsing: Array(line[place...end]), limits: .event))?.string
  }
}
