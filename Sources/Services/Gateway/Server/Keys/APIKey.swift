internal import Crypto
package import StackmeterCore

/// One API key as it is stored: who it stands for, and the hash of its secret, never the secret.
///
/// Its token, `sm_<id>_<secret>`, is shown once, when the key is created. The secret is 43 characters of
/// base64url that stand for 32 random bytes, so that a plain SHA-256 of it cannot be guessed.
package struct APIKey: Hashable, Sendable {
  package enum Role: String, Sendable, CaseIterable {
    case `operator`
    case tenant
    case provider
    case reporter
  }

  package static let idBytesMax = 64
  static let secretBytes = 43
  static let hashBytes = 32

  /// Letters, digits and `-`.
  package let id: String
  /// SHA-256 of the secret's 43 characters; empty where a certificate stands in for a secret.
  package let secretHash: [UInt8]
  /// What a client certificate calls its owner: `URI:` or `CN:` and the name. Empty where there is a secret.
  package let certificate: String
  package let role: Role
  /// What a tenant sees, in lower case. Empty for the others.
  package let subscriptions: [String]
  /// The id of a delegated provider, in lower case. Empty for the others.
  package let provider: String
  /// What a reporter may report for. Empty for the others.
  package let sources: [String]
  /// From then on the key is refused; nil for never.
  package let expires: Instant?
  /// What the key is for, in the operator's words.
  package let note: String

  package init(
    id: String, secretHash: [UInt8] = [], certificate: String = "", role: Role,
    subscriptions: [String] = [],
    provider: String = "", sources: [String] = [], expires: Instant? = nil, note: String = ""
  ) {
    self.id = id
    self.secretHash = secretHash
    self.certificate = certificate
    self.role = role
    self.subscriptions = subscriptions.map(\.asciiLowercased)
    self.provider = provider.asciiLowercased
    self.sources = sources
    self.expires = expires
    self.note = note
  }

  package var caller: Caller {
    switch role {
    case .operator: .operator
    case .tenant: .tenant(subscriptions: subscriptions)
    case .provider: .provider(provider)
    case .reporter: .reporter(sources: sources)
    }
  }

  static func hash(secret: some StringProtocol) -> [UInt8] {
    var hasher = SHA256()
    Array(secret.utf8).withUnsafeBytes { hasher.update(bufferPointer: $0) }
    return Array(hasher.finalize())
  }

  static func isID(_ text: some StringProtocol) -> Bool {
    !text.isEmpty && text.utf8.count <= idBytesMax && text.utf8.allSatisfy(isIDByte)
  }

  private static func isIDByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

/// The two parts of a token's text.
struct APIToken {
  let id: Substring
  let secret: Substring

  /// Nil where the text is not `sm_<id>_<43 characters>`.
  init?(_ text: String) {
    guard text.utf8.count <= 256, text.hasPrefix("sm_") else { return nil }
    let rest = text.dropFirst(3)
    guard let separator = rest.firstIndex(of: "_") else { return nil }
    id = rest[..<separator]
    secret = rest[rest.index(after: separator)...]
    guard APIKey.isID(id), secret.utf8.count == APIKey.secretBytes else { return nil }
  }
}
