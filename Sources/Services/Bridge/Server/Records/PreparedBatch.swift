internal import StackmeterCommerce
internal import StackmeterCompression
internal import StackmeterCore

/// A batch that is ready to be sent, whenever that is.
struct PreparedBatch: Hashable, Sendable {
  let id: String
  let window: Hour
  let records: Int
  /// The whole body, as gzip.
  let body: [UInt8]
}

/// Cuts the records of one window into batches.
struct BatchBuilder {
  private let site: String
  private let model: CommerceModel
  private let window: Hour
  private var records = 0
  /// Of the records, each with its end.
  private var ids: [UInt8] = []
  private var texts: [UInt8] = []
  private(set) var batches: [PreparedBatch] = []

  init(site: String, model: CommerceModel, window: Hour) {
    self.site = site
    self.model = model
    self.window = window
  }

  mutating func add(id: String, json: [UInt8]) {
    add(id: Array(id.utf8), json: json)
  }

  mutating func add(id: [UInt8], json: [UInt8]) {
    if records >= CommerceBatch.recordsMax
      || (records > 0 && texts.count + json.count > CommerceBatch.bytesMax)
    {
      cut()
    }
    if records > 0 { texts.append(UInt8(ascii: ",")) }
    records += 1
    ids.append(contentsOf: id)
    ids.append(CommerceIdentity.recordEnd)
    texts.append(contentsOf: json)
  }

  /// The batches, with what is left as the last one.
  mutating func finish() -> [PreparedBatch] {
    cut()
    defer { batches = [] }
    return batches
  }

  private mutating func cut() {
    guard records > 0 else { return }
    let id = CommerceIdentity.batch(records: ids)
    let encoder = GzipEncoder(.fast)
    var body: [UInt8] = []
    body.reserveCapacity(texts.count / 6 + 256)
    encoder.write(
      CommerceBatch.textStart(id: id, site: site, model: model, window: window), to: &body)
    encoder.write(texts, to: &body)
    encoder.write(CommerceBatch.textEnd, to: &body)
    encoder.finish(to: &body)
    batches.append(PreparedBatch(id: id, window: window, records: records, body: body))
    records = 0
    ids.removeAll(keepingCapacity: true)
    texts.removeAll(keepingCapacity: true)
  }
}

/// A batch's records, taken out of its body again: where some of them are refused.
struct OpenedBatch {
  let site: String
  let model: CommerceModel
  /// In their order, each as it was sent.
  let records: [(id: String, json: [UInt8])]

  /// Nil where the body is no batch of ours: the outbox is damaged.
  init?(_ body: [UInt8]) {
    guard
      let text = try? GzipDecoder.decode(
        body, GzipLimits(outputBytesMax: CommerceBatch.receivedBytesMax, ratioMax: 1000)),
      let root = try? JSONValue(parsing: text, limits: .batch),
      let object = JSONObject(root, path: ""), let site = object["site"]?.string,
      let model = object["model"]?.string.flatMap(CommerceModel.init(rawValue:)),
      let values = object["records"]?.array
    else { return nil }
    self.site = site
    self.model = model
    var records: [(id: String, json: [UInt8])] = []
    for value in values {
      guard let id = JSONObject(value, path: "")?["id"]?.string else { return nil }
      var writer = JSONWriter()
      writer.value(value)
      records.append((id, writer.bytes))
    }
    self.records = records
  }

  /// The same records in two batches.
  func halves(window: Hour) -> [PreparedBatch] {
    let middle = records.count / 2
    return [records[..<middle], records[middle...]].flatMap { half in
      var builder = BatchBuilder(site: site, model: model, window: window)
      for record in half { builder.add(id: record.id, json: record.json) }
      return builder.finish()
    }
  }
}
