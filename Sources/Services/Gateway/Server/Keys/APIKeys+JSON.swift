internal import StackmeterCore

extension APIKeys {
  /// Reads `{"keys": [{"id": …, "secretSHA256": …, "role": …, "expires": …, "note": …}, …]}`: an operator's; a
  /// tenant's with `"subscriptions": […]`; a delegated provider's with `"provider": …`; a reporter's with
  /// `"sources": […]`. A `certificate` may stand in for the `secretSHA256`. Unknown members are refused; every problem
  /// is told.
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
        problems.append(
          contains(id: key.id)
            ? "keys[\(index)].id: \"\(key.id)\" is the id of an earlier key too"
            : "keys[\(index)].certificate: is that of an earlier key too")
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
      known: [
        "id", "secretSHA256", "certificate", "role", "subscriptions", "provider", "sources",
        "expires", "note",
      ])
    let id = object["id"]?.string ?? ""
    if !APIKey.isID(id) {
      problems.append(
        "\(path).id: must be 1 to \(APIKey.idBytesMax) letters, digits and hyphens")
    }
    let hash = object["secretSHA256"]?.string.flatMap(bytesOfHexadecimal) ?? []
    let certificate = APIKey.certificate(object, &problems)
    if hash.count != APIKey.hashBytes, certificate.isEmpty {
      problems.append("\(path).secretSHA256: must be \(2 * APIKey.hashBytes) hexadecimal digits")
    }
    let role = Role(rawValue: object["role"]?.string ?? "")
    if role == nil {
      let known = Role.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
      problems.append("\(path).role: must be one of \(known)")
    }
    let subscriptions = APIKey.names(
      object, "subscriptions", bytesMax: EventLimits.subscriptionBytesMax,
      of: .tenant, role, &problems)
    let sources = APIKey.names(
      object, "sources", bytesMax: EventLimits.sourceBytesMax, of: .reporter, role, &problems)
    let provider = APIKey.provider(object, role, &problems)
    let expires = APIKey.expires(object, &problems)
    let note = object["note"] ?? .string("")
    if (note.string?.utf8.count ?? .max) > 1024 {
      problems.append("\(path).note: must be a string of at most 1024 bytes")
    }
    guard problems.count == countBefore, let role else { return nil }
    self.init(
      id: id, secretHash: certificate.isEmpty ? hash : [], certificate: certificate, role: role,
      subscriptions: subscriptions, provider: provider,
      sources: sources, expires: expires, note: note.string ?? "")
  }

  /// A member that keys of one role need and no others have.
  private static func names(
    _ object: JSONObject, _ name: String, bytesMax: Int, of owner: Role, _ role: Role?,
    _ problems: inout [String]
  ) -> [String] {
    let path = "\(object.path).\(name)"
    let list = (object[name] ?? .array([])).array
    let names = list?.compactMap(\.string).filter { (1...bytesMax).contains($0.utf8.count) }
    guard let list, let names, names.count == list.count else {
      problems.append("\(path): must be an array of strings of 1 to \(bytesMax) bytes")
      return []
    }
    if role == owner && names.isEmpty {
      problems.append("\(path): a \(owner.rawValue)'s key needs one or more")
    }
    if let role, role != owner, !names.isEmpty {
      problems.append("\(path): is for a \(owner.rawValue)'s key; leave it out")
    }
    return names
  }

  private static func provider(
    _ object: JSONObject, _ role: Role?, _ problems: inout [String]
  ) -> String {
    let path = "\(object.path).provider"
    guard role == .provider else {
      if role != nil, object["provider"] != nil {
        problems.append("\(path): is for a provider's key; leave it out")
      }
      return ""
    }
    let provider = object["provider"]?.string ?? ""
    if !(1...EventLimits.subscriptionBytesMax).contains(provider.utf8.count) {
      problems.append(
        "\(path): must be the provider's id, of 1 to \(EventLimits.subscriptionBytesMax) bytes")
    }
    return provider
  }

  private static func certificate(_ object: JSONObject, _ problems: inout [String]) -> String {
    guard let value = object["certificate"] else { return "" }
    let path = "\(object.path).certificate"
    if object["secretSHA256"] != nil {
      problems.append("\(path): stands in for a secretSHA256; leave one of them out")
    }
    guard let name = value.string, name.utf8.count <= 1024,
      ["URI:", "CN:"].contains(where: { name.hasPrefix($0) && name.utf8.count > $0.utf8.count })
    else {
      problems.append("\(path): must be URI: or CN: and the name in the certificate")
      return ""
    }
    return name
  }

  private static func expires(_ object: JSONObject, _ problems: inout [String]) -> Instant? {
    guard let value = object["expires"] else { return nil }
    let instant = value.string.flatMap { Instant(parsing: $0) }
    if instant == nil {
      problems.append(
        "\(object.path).expires: must be an RFC 3339 time such as 2027-01-01T00:00:00Z")
    }
    return instant
  }

  fileprivate func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("id", string: id)
      if certificate.isEmpty {
        writer.member("secretSHA256", string: hexadecimal(secretHash))
      } else {
        writer.member("certificate", string: certificate)
      }
      writer.member("role", string: role.rawValue)
      for (name, list) in [("subscriptions", subscriptions), ("sources", sources)]
      where !list.isEmpty {
        writer.member(name, array: { writer in for item in list { writer.string(item) } })
      }
      if role == .provider { writer.member("provider", string: provider) }
      if let expires { writer.member("expires", string: expires.description) }
      if !note.isEmpty { writer.member("note", string: note) }
    }
    return writer.bytes
  }
}

/// Nil where the text is not pairs of hexadecimal digits.
func bytesOfHexadecimal(_ text: String) -> [UInt8]? {
  let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
  guard digits.count == text.utf8.count, digits.count % 2 == 0 else { return nil }
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
