internal import Crypto
internal import StackmeterCore
internal import StackmeterWire

/// Writes the records of an export as bytes. README.md says what they are.
///
/// Most of a record is the same in every record of its series, so that it is made once and copied.
struct ExportRow {
  /// What was learned of series, by this file or an earlier one.
  private(set) var texts: ExportTexts
  private let granularity: Granularity
  /// For deltas of restated days: the windows that they are of, as a part of their ids.
  private let restated: Range<Hour>?
  // The times of one record are mostly those of the one before.
  private var usage = PeriodText()
  private var window = PeriodText()

  /// `texts` are of the request's format.
  init(_ request: ExportUsageRequest, windows: Range<Hour>, _ texts: ExportTexts) {
    self.texts = texts
    granularity = request.restatedSince == nil ? request.granularity : .daily
    restated = request.restatedSince == nil ? nil : windows
  }

  /// A header of CSV; nothing for NDJSON.
  static func head(_ request: ExportUsageRequest) -> [UInt8] {
    guard request.format == .csv else { return [] }
    let mark: [UInt8] = request.hasByteOrderMark ? [0xEF, 0xBB, 0xBF] : []
    let names = [
      "id", "contentHash", "subscriptionId", "meterId", "resourceUri", "location", "tags",
      "additionalInfo", "usageStart", "usageEnd", "quantity", "window", "cell",
    ]
    return mark + Array((names.map { "\"\($0)\"" }.joined(separator: ",") + "\r\n").utf8)
  }

  /// A record that says that nothing follows.
  static func end(_ request: ExportUsageRequest, rows: UInt64, windows: Range<Hour>) -> [UInt8] {
    guard request.hasEndRecord else { return [] }
    let (from, to) = (windows.lowerBound.description, windows.upperBound.description)
    switch request.format {
    case .csv:
      return Array(
        "\"end\",\"\",\"\",\"\",\"\",\"\",\"\",\"rows=\(rows)\",\"\(from)\",\"\(to)\",,\"\",\"\"\r\n"
          .utf8)
    case .ndjson:
      return Array("{\"end\":true,\"rows\":\(rows),\"from\":\"\(from)\",\"to\":\"\(to)\"}\n".utf8)
    }
  }

  /// Appends one record.
  mutating func write(_ aggregate: UsageAggregate, to output: inout [UInt8]) {
    let text = texts.text(of: aggregate)
    let usageStart = aggregate.usageStart.hour
    usage.set(usageStart, granularity)
    window.set(aggregate.window, granularity)
    let isCSV = texts.format == .csv
    output.append(contentsOf: isCSV ? ExportRow.csvStart : ExportRow.jsonStart)
    output.append(contentsOf: text.idDigits)
    output.append(0x2D)
    output.append(contentsOf: usage.digits)
    output.append(0x2D)
    if let restated {
      output.append(contentsOf: "r\(restated.lowerBound.index)-\(restated.upperBound.index)".utf8)
    } else {
      output.append(contentsOf: window.digits)
    }
    output.append(contentsOf: isCSV ? ExportRow.csvHash : ExportRow.jsonHash)
    appendHash(of: aggregate, text, usageStart, &output)
    output.append(contentsOf: text.members)
    output.append(contentsOf: usage.start)
    output.append(contentsOf: isCSV ? ExportRow.csvNext : ExportRow.jsonEnd)
    output.append(contentsOf: usage.end)
    output.append(contentsOf: isCSV ? ExportRow.csvQuantity : ExportRow.jsonQuantity)
    aggregate.quantity.append(to: &output)
    output.append(contentsOf: isCSV ? ExportRow.csvWindow : ExportRow.jsonWindow)
    output.append(contentsOf: window.start)
    output.append(contentsOf: text.cell)
  }

  // Members in the order of the header; each constant ends what stands before it.
  private static let csvStart = Array("\"".utf8)
  private static let csvHash = Array("\",\"v1-".utf8)
  private static let csvNext = Array("\",\"".utf8)
  private static let csvQuantity = Array("\",".utf8)
  private static let csvWindow = Array(",\"".utf8)
  private static let jsonStart = Array("{\"id\":\"".utf8)
  private static let jsonHash = Array("\",\"contentHash\":\"v1-".utf8)
  private static let jsonEnd = Array("\",\"usageEnd\":\"".utf8)
  private static let jsonQuantity = Array("\",\"quantity\":\"".utf8)
  private static let jsonWindow = Array("\",\"window\":\"".utf8)

  /// The first 16 bytes of SHA-256 over: the series of the id, its usage period's first hour and the first window
  /// (hours since 1970, i64), the quantity in 10⁻¹⁸ (i128), and 1, 2 or 3 for hours, days and months (u8).
  /// Little-endian.
  private func appendHash(
    of aggregate: UsageAggregate, _ text: ExportTexts.SeriesText, _ usageStart: Hour,
    _ output: inout [UInt8]
  ) {
    let kind: UInt8 =
      switch granularity {
      case .hourly: 1
      case .daily: 2
      case .monthly: 3
      }
    let digest = withUnsafeTemporaryAllocation(byteCount: 49, alignment: 16) { content in
      content.copyBytes(from: text.idBytes)
      content.storeBytes(
        of: usageStart.index.littleEndian, toByteOffset: 16, as: Int64.self)
      content.storeBytes(
        of: aggregate.window.index.littleEndian, toByteOffset: 24, as: Int64.self)
      content.storeBytes(
        of: aggregate.quantity.attos.littleEndian, toByteOffset: 32, as: Int128.self)
      content.storeBytes(of: kind, toByteOffset: 48, as: UInt8.self)
      return SHA256.hash(data: UnsafeRawBufferPointer(content))
    }
    digest.withUnsafeBytes {
      appendHexadecimal(UnsafeRawBufferPointer(rebasing: $0.prefix(16)), to: &output)
    }
  }

  /// The texts of a period, made anew where it is another than before.
  private struct PeriodText {
    private var first = Hour(index: .min)
    private(set) var digits: [UInt8] = []
    private(set) var start: [UInt8] = []
    private(set) var end: [UInt8] = []

    mutating func set(_ hour: Hour, _ granularity: Granularity) {
      guard hour != first else { return }
      first = hour
      digits = Array(RowIdentity.text(hour, granularity).utf8)
      start = Array(hour.description.utf8)
      let period = granularity.period(ofHour: hour.index)
      end = Array(
        Hour(index: granularity.firstHour(ofPeriod: period + 1)).description.utf8)
    }
  }
}

/// The inside of a quoted cell of CSV (RFC 4180) that a spreadsheet opens without running anything.
enum CSVText {
  /// Appends a text from outside: quotes are doubled, and where a spreadsheet would take it for a formula, an
  /// apostrophe goes before it.
  static func append(_ text: String, to bytes: inout [UInt8]) {
    if beginsFormula(text) { bytes.append(0x27) }
    for byte in text.utf8 {
      if byte == 0x22 { bytes.append(byte) }
      bytes.append(byte)
    }
  }

  /// `=`, `+`, `-`, `@`, tab and carriage return, and the full-width forms of the first four.
  static func beginsFormula(_ text: String) -> Bool {
    switch text.unicodeScalars.first {
    case "=", "+", "-", "@", "\t", "\r", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}": true
    default: false
    }
  }
}
