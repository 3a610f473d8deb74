/// Writes RFC 4180 rows that a spreadsheet opens without running anything.
package struct CSVWriter: Sendable {
  package private(set) var bytes: [UInt8] = []

  package enum Cell: Sendable {
    /// From outside: a leading `=`, `+`, `-`, `@`, tab or carriage return would be a formula in a
    /// spreadsheet, so an apostrophe goes before it.
    case text(String)
    /// Digits, times and words of ours, written as they are; and what a format wants unchanged.
    case literal(String)
  }

  package init() {}

  package mutating func row(_ cells: [Cell]) {
    for (index, cell) in cells.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      switch cell {
      case .text(let text):
        let isFormula = text.utf8.first.map { "=+-@\t\r".utf8.contains($0) } ?? false
        append(isFormula ? "'" + text : text)
      case .literal(let text): append(text)
      }
    }
    bytes.append(contentsOf: "\r\n".utf8)
  }

  /// The rows so far, which are forgotten.
  package mutating func take() -> [UInt8] {
    defer { bytes = [] }
    return bytes
  }

  /// Adds what is CSV already: cells with what lies between them.
  package mutating func append(written cells: [UInt8]) {
    bytes.append(contentsOf: cells)
  }

  /// Adds digits, times and words of ours, which need no quotes.
  package mutating func append(plain text: String) {
    bytes.append(contentsOf: text.utf8)
  }

  /// One cell as `literal` writes it.
  package static func cell(_ text: String) -> [UInt8] {
    var writer = CSVWriter()
    writer.append(text)
    return writer.bytes
  }

  private mutating func append(_ text: String) {
    let isPlain =
      text.utf8.withContiguousStorageIfAvailable { !$0.contains(where: CSVWriter.needsQuotes) }
      ?? !text.utf8.contains(where: CSVWriter.needsQuotes)
    guard !isPlain else {
      bytes.append(contentsOf: text.utf8)
      return
    }
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\"") { bytes.append(byte) }
      bytes.append(byte)
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private static func needsQuotes(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\"") || byte == UInt8(ascii: ",") || byte == 0x0D || byte == 0x0A
  }
}
