internal import StackmeterCommerce
internal import StackmeterCore

/// Makes records of rows: under the commerce service's meters, for its customers. Rows of meters that are not billable
/// make none.
struct RecordMapper {
  /// A record as it is sent.
  struct Mapped {
    let id: String
    let json: [UInt8]
  }

  private let registration: BridgeRegistration
  /// In lower case: those that the catalog says are not billable.
  private let unbillable: Set<String>
  /// What is the same in the records of a subscription and meter: neighbours mostly have both.
  private var texts: [Pair: [UInt8]?] = [:]

  private struct Pair: Hashable {
    let subscription: String
    let meter: String
  }

  /// Past this, all is forgotten.
  private static let textsMax = 10_000

  /// `meters` is the catalog. Usage of a meter that it no longer has is billable.
  init(_ registration: BridgeRegistration, meters: [Meter]) {
    self.registration = registration
    unbillable = Set(meters.filter { !$0.isBillable }.map(\.id.asciiLowercased))
  }

  /// Nil where the meter is not billable.
  mutating func record(_ line: ExportLine) -> Mapped? {
    guard let text = text(Pair(subscription: line.subscription, meter: line.meter)) else {
      return nil
    }
    let id = CommerceIdentity.record(row: line.id, revision: 0)
    var json: [UInt8] = []
    json.reserveCapacity(64 + text.count + line.rest.count)
    json.append(contentsOf: RecordMapper.start)
    json.append(contentsOf: id.utf8)
    json.append(contentsOf: RecordMapper.revision)
    json.append(contentsOf: text)
    json.append(contentsOf: line.rest)
    if registration.model == .development { json.append(contentsOf: RecordMapper.price) }
    json.append(UInt8(ascii: "}"))
    return Mapped(id: id, json: json)
  }

  private static let start = Array("{\"id\":\"".utf8)
  private static let revision = Array("\",\"revision\":0,".utf8)
  private static let price = Array(",\"unitPrice\":\"0\"".utf8)

  private mutating func text(_ pair: Pair) -> [UInt8]? {
    if let known = texts[pair] { return known }
    if texts.count >= RecordMapper.textsMax { texts = [:] }
    let made = make(pair)
    texts[pair] = .some(made)
    return made
  }

  private func make(_ pair: Pair) -> [UInt8]? {
    let meter = pair.meter.asciiLowercased
    guard !unbillable.contains(meter) else { return nil }
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("subscription", string: pair.subscription)
      writer.member(
        "customer",
        string: registration.customers[pair.subscription.asciiLowercased]
          ?? registration.defaultCustomer)
      writer.member("meter", string: registration.meters[meter] ?? pair.meter)
      writer.member("localMeter", string: pair.meter)
    }
    return Array(writer.bytes.dropFirst().dropLast())
  }
}
