package import StackmeterCore

/// Every problem of a key file at once, each with the path of its field.
package struct APIKeysError: Error, Equatable, CustomStringConvertible {
  package let problems: [String]

  package init(problems: [String]) {
    self.problems = problems
  }

  package var description: String { problems.joined(separator: "\n") }
}

/// All API keys that are good.
package struct APIKeys: Hashable, Sendable {
  package private(set) var keys: [APIKey]
  private var indexByID: [String: Int]
  private var indexByCertificate: [ExactText: Int] = [:]

  package init() {
    keys = []
    indexByID = [:]
  }

  /// Adds a key; throws where one of its id is there.
  package mutating func add(_ key: APIKey) throws(APIKeysError) {
    guard indexByID[key.id] == nil else {
      throw APIKeysError(problems: ["keys: the id \"\(key.id)\" is there twice"])
    }
    if !key.certificate.isEmpty {
      guard indexByCertificate[ExactText(key.certificate)] == nil else {
        throw APIKeysError(problems: [
          "keys: the certificate \"\(key.certificate)\" is there twice"
        ])
      }
      indexByCertificate[ExactText(key.certificate)] = keys.count
    }
    indexByID[key.id] = keys.count
    keys.append(key)
  }

  func contains(id: String) -> Bool { indexByID[id] != nil }

  /// Takes a key away, so that its token is refused from now on. False where there is none.
  package mutating func remove(id: String) -> Bool {
    guard let index = indexByID[id] else { return false }
    keys.remove(at: index)
    (indexByID, indexByCertificate) = ([:], [:])
    for (index, key) in keys.enumerated() {
      indexByID[key.id] = index
      if !key.certificate.isEmpty { indexByCertificate[ExactText(key.certificate)] = index }
    }
    return true
  }

  /// Who a token stands for, or nil.
  package func authenticate(_ token: String, now: Instant) -> Caller? {
    key(for: token, now: now)?.caller
  }

  /// The key that a token is of, or nil. An unknown id costs the same as a wrong secret.
  func key(for token: String, now: Instant) -> APIKey? {
    guard let token = APIToken(token) else { return nil }
    let key = indexByID[String(token.id)].map { keys[$0] }
    let expected = key?.secretHash ?? [UInt8](repeating: 0, count: APIKey.hashBytes)
    let isEqual = APIKeys.isEqualInConstantTime(APIKey.hash(secret: token.secret), expected)
    guard isEqual, let key, key.expires.map({ now < $0 }) ?? true else { return nil }
    return key
  }

  /// The keys of a client certificate with these names that have not expired.
  func keys(forCertificate names: [String], now: Instant) -> [APIKey] {
    names.compactMap { indexByCertificate[ExactText($0)].map { keys[$0] } }
      .filter { $0.expires.map { now < $0 } ?? true }
  }

  /// Compares without an early end, so that the time taken tells nothing of where the first difference is.
  private static func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
  }

  /// A new key, and its token, which nobody can read again.
  ///
  /// Of a client certificate, whose name stands in for a secret, the token is empty.
  package static func create(
    role: APIKey.Role, certificate: String = "", subscriptions: [String] = [],
    provider: String = "",
    sources: [String] = [], expires: Instant? = nil, note: String = ""
  ) throws(APIKeysError) -> (key: APIKey, token: String) {
    var generator = SystemRandomNumberGenerator()
    let id =
      "k" + hexadecimal((0..<6).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    let secret = Base64URL.text(
      (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    let key = APIKey(
      id: id, secretHash: certificate.isEmpty ? APIKey.hash(secret: secret) : [],
      certificate: certificate, role: role, subscriptions: subscriptions,
      provider: provider, sources: sources, expires: expires, note: note)
    // The same rules as for a file.
    var keys = APIKeys()
    try keys.add(key)
    _ = try APIKeys(json: keys.json())
    return (key, certificate.isEmpty ? "sm_\(id)_\(secret)" : "")
  }
}
