package import StackmeterCore

extension EventBatch {
  /// The payload of a batch record. See README.md for the bytes.
  package func journalPayload() -> [UInt8] {
    precondition(corrections.isEmpty, "a correction has a record of its own")
    var writer = ByteWriter()
    writer.bytes.reserveCapacity(byteCount + 12 * series.count + 64)
    write(to: &writer)
    return writer.bytes
  }

  /// A series of six empty texts.
  private static let seriesBytesMin = 12

  /// Everything but the corrections, which have records of their own.
  func write(to writer: inout ByteWriter) {
    writer.text(source)
    writer.number(UInt32(series.count))
    for entry in series {
      entry.forEachText { writer.text($0) }
    }
    writer.number(UInt32(count))
    writer.number(UInt32(ids.count))
    writer.bytes.append(contentsOf: ids)
    writer.column(idEnds.map { UInt32($0) })
    writer.column(seriesIndex)
    writer.column(usageStart)
    writer.column(usageEnd)
    writer.column(attos)
  }

  /// Nil where the payload is not of this form; the record's checksum says that it is what was written.
  package init?(journalPayload payload: ArraySlice<UInt8>) {
    var reader = ByteReader(payload)
    self.init(&reader)
    guard reader.isAtEnd else { return nil }
  }

  init?(_ reader: inout ByteReader) {
    guard let source = reader.text(), let seriesCount = reader.number(UInt32.self),
      Int(seriesCount) <= reader.left / EventBatch.seriesBytesMin
    else { return nil }
    self.init(source: source)
    series.reserveCapacity(Int(seriesCount))
    for _ in 0..<seriesCount {
      guard let subscription = reader.text(), let meter = reader.text(), let uri = reader.text(),
        let location = reader.text(), let tags = reader.text(), let info = reader.text()
      else { return nil }
      series.append(
        Series(
          subscription: subscription, meter: meter,
          resource: Resource(uri: uri, location: location, tags: tags, additionalInfo: info)))
    }
    guard let count = reader.number(UInt32.self).map({ Int($0) }),
      let idBytes = reader.number(UInt32.self), let ids = reader.slice(Int(idBytes)),
      let idEnds = reader.column(count, UInt32.self),
      let seriesIndex = reader.column(count, UInt32.self),
      let usageStart = reader.column(count, Int64.self),
      let usageEnd = reader.column(count, Int64.self),
      let attos = reader.column(count, Int128.self),
      idEnds.last.map({ $0 == idBytes }) ?? (idBytes == 0),
      zip(idEnds, idEnds.dropFirst()).allSatisfy({ $0 <= $1 }),
      seriesIndex.allSatisfy({ $0 < seriesCount })
    else { return nil }
    self.ids = Array(ids)
    self.idEnds = idEnds.map { Int($0) }
    self.seriesIndex = seriesIndex
    self.usageStart = usageStart
    self.usageEnd = usageEnd
    self.attos = attos
  }
}
