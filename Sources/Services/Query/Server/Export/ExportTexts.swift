internal import StackmeterCore
internal import StackmeterWire
internal import Synchronization

/// What all records of a series have in common, as bytes in a format. It is the same in every file of the format.
struct ExportTexts {
  /// What is the same in every record of a series. A class, so that handing it over is counting one reference.
  final class SeriesText: Sendable {
    /// The series' part of an id, in hexadecimal digits.
    let idDigits: [UInt8]
    /// The same as bytes, for content hashes.
    let idBytes: [UInt8]
    /// From the subscription up to the additional info, with what stands in front of and behind them.
    let members: [UInt8]
    /// The last member.
    let cell: [UInt8]

    init(idBytes: [UInt8], members: [UInt8], cell: [UInt8]) {
      var digits: [UInt8] = []
      idBytes.withUnsafeBytes { appendHexadecimal($0, to: &digits) }
      idDigits = digits
      self.idBytes = idBytes
      self.members = members
      self.cell = cell
    }

    var byteCount: Int { 256 + idDigits.count + members.count + cell.count }
  }

  private struct SeriesOfCell: Hashable {
    let series: Series
    let cell: ExactText?
  }

  /// What is kept of series from one part of a file to the next. Past it, all is forgotten.
  static let bytesMax = 32 << 20

  let format: ExportUsageRequest.Format
  /// Of series that name none.
  private let ownCell: String
  private var texts: [SeriesOfCell: SeriesText] = [:]
  private var byteCount = 0

  init(_ format: ExportUsageRequest.Format, cell: String) {
    self.format = format
    ownCell = cell
  }

  /// How many series are known.
  var count: Int { texts.count }

  mutating func text(of aggregate: UsageAggregate) -> SeriesText {
    let key = SeriesOfCell(
      series: aggregate.series, cell: aggregate.cell.map { ExactText($0) })
    if let known = texts[key] { return known }
    let made = make(aggregate.series, cell: aggregate.cell ?? ownCell)
    byteCount += made.byteCount
    if byteCount > ExportTexts.bytesMax {
      texts = [:]
      byteCount = made.byteCount
    }
    texts[key] = made
    return made
  }

  private func make(_ series: Series, cell: String) -> SeriesText {
    let idBytes = Array(
      RowIdentity.digest(of: series, cell: cell).prefix(RowIdentity.seriesBytes))
    return switch format {
    case .csv:
      SeriesText(
        idBytes: idBytes, members: ExportTexts.csvMembers(series), cell: ExportTexts.csvCell(cell))
    case .ndjson:
      SeriesText(
        idBytes: idBytes, members: ExportTexts.jsonMembers(series),
        cell: ExportTexts.jsonCell(cell))
    }
  }

  private static func csvMembers(_ series: Series) -> [UInt8] {
    var bytes = Array("\",".utf8)
    series.forEachText { text in
      bytes.append(0x22)
      CSVText.append(text, to: &bytes)
      bytes.append(contentsOf: "\",".utf8)
    }
    bytes.append(0x22)
    return bytes
  }

  private static func csvCell(_ cell: String) -> [UInt8] {
    var bytes = Array("\",\"".utf8)
    CSVText.append(cell, to: &bytes)
    return bytes + Array("\"\r\n".utf8)
  }

  private static func jsonMembers(_ series: Series) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("subscriptionId", string: series.subscription)
      writer.member("meterId", string: series.meter)
      writer.member("resourceUri", string: series.resource.uri)
      writer.member("location", string: series.resource.location)
      writer.member("tags", raw: series.resource.tags.isEmpty ? "{}" : series.resource.tags)
      writer.member("additionalInfo", string: series.resource.additionalInfo)
    }
    return Array("\",".utf8) + writer.bytes.dropFirst().dropLast()
      + Array(",\"usageStart\":\"".utf8)
  }

  private static func jsonCell(_ cell: String) -> [UInt8] {
    var writer = JSONWriter()
    writer.string(cell)
    return Array("\",\"cell\":".utf8) + writer.bytes + Array("}\n".utf8)
  }
}

/// What parts of files have learned of series, for the parts and files that come after them: whoever reads window
/// after window, each as a file of its own, has most series in all of them. Nobody waits for it.
final class ExportTextsPool: Sendable {
  /// As many exports as one gateway makes at once.
  static let keptMax = 4

  private let kept = Mutex<[ExportTexts]>([])

  /// Nil where all are in use.
  func take(_ format: ExportUsageRequest.Format) -> ExportTexts? {
    kept.withLock { kept in
      kept.lastIndex { $0.format == format }.map { kept.remove(at: $0) }
    }
  }

  /// Files that are at their end leave one of a format, not one each.
  func give(_ texts: ExportTexts, isEnd: Bool) {
    kept.withLock { kept in
      if isEnd, kept.contains(where: { $0.format == texts.format }) { return }
      if kept.count >= ExportTextsPool.keptMax { kept.removeFirst() }
      kept.append(texts)
    }
  }
}
