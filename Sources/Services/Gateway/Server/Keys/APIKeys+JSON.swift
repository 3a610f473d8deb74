internal import StackmeterCore

extension APIKeys {
  /// Reads `{"keys": [{"id": …, "secretSHA256": …, "role": "operator" or "tenant", "subscriptions": […],
  /// "note": …}, …]}`. Unknown members are refused; every problem is told.
  package init(json bytes: [UInt8]) throws(APIKeysError) {
    let root: JSONValue
    do {
      root = try JSONValue(parsing: bytes, limits: .configuration)
    } catch {
      throw APIKeysError(problems: [error.description])
    }
    guard let file = JSONObject(root, path: ""), let list = file["keys"]?.array else {
      throw APIKeysError(problems: ["keys: must be an array of keys"])
    }
    var problems = file.unknownMembers(known: ["keys"])
    self.init()
    for (index, element) in list.enumerated() {
      guard let object = JSONObject(element, path: "keys[\(index)]") else {
        problems.append("keys[\(index)]: must be an object")
        continue
      }
      guard let key = APIKey(object, problems: &problems) else { continue }
      do {
        try add(key)
      } catch {
        problems.append("keys[\(index)].id: \"\(key.id)\" is the id of an earlier key too")
      }
    }
    guard problems.isEmpty else { throw APIKeysError(problems: problems) }
  }

  /// The file's content, one key a line.
  package func json() -> [UInt8] {
    var text = Array("{\"keys\":[".utf8)
    for (index, key) in keys.enumerated() {
      text += Array((index == 0 ? "\n" : ",\n").utf8) + key.json()
    }
    return text + Array("\n]}\n".utf8)
  }
}

extension APIKey {
  /// Nil where the object is no key; `problems` says why.
  fileprivate init?(_ object: JSONObject, problems: inout [String]) {
    let path = object.path
    let countBefore = problems.count
    problems += object.unknownMembers(
      known: ["id", "secretSHA256", "role", "subscriptions", "note"])
    let id = object["id"]?.string ?? ""
    if !APIKey.isID(id) {
      problems.append(
        "\(path).id: must be 1 to \(APIKey.idBytesMax) letters, digits and hyphens")
    }
    let hash = object["secretSHA256"]?.string.flatMap(bytesOfHexadecimal) ?? []
    if hash.count != APIKey.hashBytes {
      problems.append("\(path).secretSHA256: must be \(2 * APIKey.hashBytes) hexadecimal digits")
    }
    let role = Role(rawValue: object["role"]?.string ?? "")
    if role == nil { problems.append("\(path).role: must be \"operator\" or \"tenant\"") }
    let subscriptions = APIKey.subscriptions(object, role, &problems)
    let note = object["note"] ?? .string("")
    if (note.string?.utf8.count ?? .max) > 1024 {
      problems.append("\(path).note: must be a string of at most 1024 bytes")
    }
    guard problems.count == countBefore, let role else { return nil }
    self.init(
      id: id, secretHash: hash, role: role, subscriptions: subscriptions, note: note.string ?? "")
  }

  private static func subscriptions(
    _ object: JSONObject, _ role: Role?, _ problems: inout [String]
  ) -> [String] {
    let path = "\(object.path).subscriptions"
    let list = (object["subscriptions"] ?? .array([])).array
    let names = list?.compactMap(\.string).filter {
      !$0.isEmpty && $0.utf8.count <= EventLimits.subscriptionBytesMax
    }
    guard let list, let names, names.count == list.count else {
      problems.append(
        "\(path): must be an array of strings of 1 to \(EventLimits.subscriptionBytesMax) bytes")
      return []
    }
    if role == .tenant && names.isEmpty {
      problems.append("\(path): a tenant's key needs one subscription or more")
    }
    if role == .operator && !names.isEmpty {
      problems.append("\(path): an operator's key sees all; leave its subscriptions out")
    }
    return names
  }

  fileprivate func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("id", string: id)
      writer.member("secretSHA256", string: hexadecimal(secretHash))
      writer.member("role", string: role.rawValue)
      if role == .tenant {
        writer.member(
          "subscriptions",
          array: { writer in
            for subscription in subscriptions { writer.string(subscription) }
          })
      }
      if !note.isEmpty { writer.member("note", string: note) }
    }
    return writer.bytes
  }
}

/// Nil where the text is not pairs of hexadecimal digits.
private func bytesOfHexadecimal(_ text: String) -> [UInt8]? {
  let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
  guard digits.count == text.utf8.count, digits.count % 2 == 0 else { return nil }
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
