internal import StackmeterCore

/// What a commerce service says to a batch that it has looked at: what became of each of its records.
///
/// Whoever is accepted or a duplicate counts once, for good. Those that are refused are listed; nothing is both.
package struct CommerceAnswer: Hashable, Sendable {
  package struct Refusal: Hashable, Sendable {
    /// The record's.
    package var id: String
    package var code: String
    package var reason: String

    package init(id: String, code: String, reason: String) {
      self.id = id
      self.code = code
      self.reason = reason
    }
  }

  /// The code of a record whose id is there already, with other content.
  package static let conflict = "Conflict"
  /// What is read of an answer.
  package static let bytesMax = 4 << 20

  /// The batch that it is about.
  package var batch: String
  package var accepted: Int
  package var duplicates: Int
  package var refused: [Refusal]

  package init(batch: String, accepted: Int, duplicates: Int, refused: [Refusal] = []) {
    self.batch = batch
    self.accepted = accepted
    self.duplicates = duplicates
    self.refused = refused
  }

  /// How many records it is about.
  package var records: Int { accepted + duplicates + refused.count }

  package func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("batch", string: batch)
      writer.member("accepted", accepted)
      writer.member("duplicates", duplicates)
      writer.member(
        "refused",
        array: { writer in
          for refusal in refused {
            writer.object { writer in
              writer.member("id", string: refusal.id)
              writer.member("code", string: refusal.code)
              writer.member("reason", string: refusal.reason)
            }
          }
        })
    }
    return writer.bytes
  }

  /// Nil where the text is no answer: half of one, another service's, or none at all.
  package init?(parsing text: [UInt8]) {
    guard let root = try? JSONValue(parsing: text, limits: .batch),
      let object = JSONObject(root, path: ""), let batch = object["batch"]?.string,
      let accepted = CommerceAnswer.count(object["accepted"]),
      let duplicates = CommerceAnswer.count(object["duplicates"]),
      let values = object["refused"]?.array
    else { return nil }
    var refused: [Refusal] = []
    for value in values {
      guard let object = JSONObject(value, path: ""), let id = object["id"]?.string,
        let code = object["code"]?.string, let reason = object["reason"]?.string
      else { return nil }
      refused.append(Refusal(id: id, code: code, reason: reason))
    }
    self.init(batch: batch, accepted: accepted, duplicates: duplicates, refused: refused)
  }

  private static func count(_ value: JSONValue?) -> Int? {
    guard case .number(let digits)? = value, let number = Int(digits),
      (0...CommerceBatch.recordsMax).contains(number)
    else { return nil }
    return number
  }
}
