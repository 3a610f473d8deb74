package import StackmeterCore

/// How usage is reported to a commerce service, and whether it is at all.
package enum CommerceModel: String, Hashable, Sendable, CaseIterable {
  /// Usage is forwarded and charged.
  case payAsYouUse
  /// Capacity is paid for: usage is collected and not forwarded.
  case capacity
  /// Usage is forwarded at a price of zero.
  case development
  /// Usage is written to signed files, which somebody carries.
  case disconnected
}

/// What is sent at once: records of one reporting window.
package struct CommerceBatch: Hashable, Sendable {
  /// The records of one batch.
  package static let recordsMax = 1000
  /// The bytes of a batch before they are compressed, but for a single record that is larger.
  package static let bytesMax = 2 << 20
  /// What a receiver takes.
  package static let receivedBytesMax = 8 << 20

  package var id: String
  /// The installation that reports.
  package var site: String
  package var model: CommerceModel
  package var window: Hour
  package var records: [CommerceRecord]

  package init(
    id: String, site: String, model: CommerceModel, window: Hour, records: [CommerceRecord]
  ) {
    self.id = id
    self.site = site
    self.model = model
    self.window = window
    self.records = records
  }

  /// The text of a batch up to its records. They follow with commas between them, and `textEnd`.
  package static func textStart(
    id: String, site: String, model: CommerceModel, window: Hour
  ) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("batch", string: id)
      writer.member("site", string: site)
      writer.member("model", string: model.rawValue)
      writer.member("window", string: window.description)
      writer.name("records")
      writer.raw("[")
    }
    return writer.bytes.dropLast()
  }

  package static let textEnd = Array("]}".utf8)

  /// Reads a batch. Throws what is wrong with the batch itself; a record that cannot be read is an element that is an
  /// error, and hinders no other.
  package static func parse(_ text: [UInt8]) throws(CommerceError) -> Parsed {
    let root: JSONValue
    do throws(JSONError) {
      root = try JSONValue(parsing: text, limits: .batch)
    } catch {
      throw CommerceError(error.description)
    }
    guard let object = JSONObject(root, path: "") else {
      throw CommerceError("must be an object with batch, site and records")
    }
    func member(_ name: String) throws(CommerceError) -> String {
      guard let text = object[name]?.string, (1...EventLimits.idBytesMax).contains(text.utf8.count)
      else {
        throw CommerceError("\(name): must be a text of 1 to \(EventLimits.idBytesMax) bytes")
      }
      return text
    }
    guard let values = object["records"]?.array, (1...recordsMax).contains(values.count) else {
      throw CommerceError("records: must be an array of 1 to \(recordsMax) records")
    }
    let (id, site) = (try member("batch"), try member("site"))
    let model = CommerceModel(rawValue: object["model"]?.string ?? "")
    guard let model else {
      let known = CommerceModel.allCases.map(\.rawValue).joined(separator: ", ")
      throw CommerceError("model: must be one of \(known)")
    }
    let records = values.enumerated().map {
      (index, value) -> (id: String, record: Result<CommerceRecord, CommerceError>) in
      let id = JSONObject(value, path: "")?["id"]?.string ?? ""
      do throws(CommerceError) {
        return (id, .success(try CommerceRecord(json: value, path: "records[\(index)]")))
      } catch {
        return (id, .failure(error))
      }
    }
    return Parsed(id: id, site: site, model: model, records: records)
  }

  /// What was read of a batch. Each record has the id that it says it has; empty for none.
  package struct Parsed {
    package let id: String
    package let site: String
    package let model: CommerceModel
    package let records: [(id: String, record: Result<CommerceRecord, CommerceError>)]
  }
}
