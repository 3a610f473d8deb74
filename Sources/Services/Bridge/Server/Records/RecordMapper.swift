internal import StackmeterCommerce
internal import StackmeterCore

/// A line that query has written is no row of an export.
struct ForeignLine: Error, Equatable, CustomStringConvertible {
  let description = "query answers with a row that is no export's"
}

/// Makes records of rows: under the commerce service's meters, for its customers. Rows of meters that are not billable
/// make none.
struct RecordMapper {
  private let registration: BridgeRegistration
  /// In lower case: those that the catalog says are not billable.
  private let unbillable: Set<String>
  /// What is the same in the records of a subscription and meter, by the bytes that say these in a row; nil where
  /// there are no records.
  private var texts = ByteMemory<[UInt8]?>()
  // Of the last record, kept for their storage.
  private var id: [UInt8] = []
  private var json: [UInt8] = []

  /// Past this, all is forgotten.
  static let textsMax = 10_000

  /// `meters` is the catalog. Usage of a meter that it no longer has is billable.
  init(_ registration: BridgeRegistration, meters: [Meter]) {
    self.registration = registration
    unbillable = Set(meters.filter { !$0.isBillable }.map(\.id.asciiLowercased))
  }

  /// The batches of one part of a window's export, but for its first rows.
  mutating func batches(
    of part: [UInt8], droppingFirst dropped: Int, window: Hour
  ) throws(ForeignLine) -> [PreparedBatch] {
    var builder = BatchBuilder(
      site: registration.site, model: registration.model, window: window)
    let isExport = part.withUnsafeBytes { bytes in
      var lines = ExportLines(bytes)
      for _ in 0..<dropped { _ = lines.next() }
      while let bytes = lines.next() {
        guard let line = ExportLine(bytes), let text = text(line) else { return false }
        guard let text else { continue }
        make(line, text)
        builder.add(id: id, json: json)
      }
      return lines.isAtEnd
    }
    guard isExport else { throw ForeignLine() }
    return builder.finish()
  }

  /// The record of a line.
  private mutating func make(_ line: ExportLine, _ text: [UInt8]) {
    id.removeAll(keepingCapacity: true)
    CommerceIdentity.append(record: line.id, revision: 0, to: &id)
    json.removeAll(keepingCapacity: true)
    json.append(contentsOf: RecordMapper.start)
    json.append(contentsOf: id)
    json.append(contentsOf: RecordMapper.revision)
    json.append(contentsOf: text)
    json.append(contentsOf: line.rest)
    if registration.model == .development { json.append(contentsOf: RecordMapper.price) }
    json.append(UInt8(ascii: "}"))
  }

  private static let start = Array("{\"id\":\"".utf8)
  private static let revision = Array("\",\"revision\":0,".utf8)
  private static let price = Array(",\"unitPrice\":\"0\"".utf8)

  /// Nil where the line's texts cannot be read, and a nil in it where there is no record.
  private mutating func text(_ line: ExportLine) -> [UInt8]?? {
    if let known = texts.value(of: line.names) { return known }
    guard let (subscription, meter) = line.texts else { return nil }
    if texts.count >= RecordMapper.textsMax { texts = ByteMemory() }
    let made = makeText(subscription, meter)
    texts.remember(line.names, made)
    return .some(made)
  }

  private func makeText(_ subscription: String, _ localMeter: String) -> [UInt8]? {
    let meter = localMeter.asciiLowercased
    guard !unbillable.contains(meter) else { return nil }
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("subscription", string: subscription)
      writer.member(
        "customer",
        string: registration.customers[subscription.asciiLowercased]
          ?? registration.defaultCustomer)
      writer.member("meter", string: registration.meters[meter] ?? localMeter)
      writer.member("localMeter", string: localMeter)
    }
    return Array(writer.bytes.dropFirst().dropLast())
  }
}

/// Makes batches of one part after the other, beside the bridge: that answers meanwhile.
actor BatchMaker {
  private var mapper: RecordMapper

  init(_ registration: BridgeRegistration, meters: [Meter]) {
    mapper = RecordMapper(registration, meters: meters)
  }

  func batches(
    of part: [UInt8], droppingFirst dropped: Int, window: Hour
  ) throws(ForeignLine) -> [PreparedBatch] {
    try mapper.batches(of: part, droppingFirst: dropped, window: window)
  }
}
