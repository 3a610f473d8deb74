internal import Crypto
internal import StackmeterCore

/// Proves to who has the site's key that a text was not changed on its way: `v1,` and an HMAC-SHA256 in base64.
///
/// What is signed is `usage.` or `receipt.`, the batch's id, a point and the text, before it is compressed: so no
/// receipt passes for usage, and none for that of another batch.
package enum CommerceSignature {
  package enum Kind: String, Sendable {
    case usage
    case receipt
  }

  /// The header, and the first line of a file that is carried.
  package static let header = "Stackmeter-Signature"
  private static let version = "v1,"

  package static func text(
    _ kind: Kind, batch: String, _ content: [UInt8], key: String
  ) -> String {
    let code = HMAC<SHA256>.authenticationCode(
      for: signed(kind, batch, content), using: SymmetricKey(data: Array(key.utf8)))
    return version + Base64.text(Array(code))
  }

  /// Takes the same time wherever a wrong one differs.
  package static func isValid(
    _ signature: String, _ kind: Kind, batch: String, _ content: [UInt8], key: String
  ) -> Bool {
    guard signature.hasPrefix(version),
      let code = Base64.bytes(String(signature.dropFirst(version.count)))
    else { return false }
    return HMAC<SHA256>.isValidAuthenticationCode(
      code, authenticating: signed(kind, batch, content),
      using: SymmetricKey(data: Array(key.utf8)))
  }

  private static func signed(_ kind: Kind, _ batch: String, _ content: [UInt8]) -> [UInt8] {
    Array("\(kind.rawValue).\(batch).".utf8) + content
  }
}
