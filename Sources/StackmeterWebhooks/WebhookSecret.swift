internal import Crypto
internal import StackmeterCore

/// What a sender and a receiver of webhooks share: the secret of Standard Webhooks, `whsec_` and base64.
package struct WebhookSecret: Sendable {
  package static let prefix = "whsec_"
  /// How long a secret is, before base64.
  package static let byteCounts = 24...64

  private let key: SymmetricKey

  /// Reads a secret; the prefix may be left out. Nil where it is not base64 or not as long as it must be.
  package init?(_ text: String) {
    let base64 =
      text.hasPrefix(WebhookSecret.prefix)
      ? String(text.dropFirst(WebhookSecret.prefix.count)) : text
    guard let bytes = Base64.bytes(base64), WebhookSecret.byteCounts.contains(bytes.count) else {
      return nil
    }
    key = SymmetricKey(data: bytes)
  }

  /// HMAC-SHA256.
  func code(of content: [UInt8]) -> [UInt8] {
    Array(HMAC<SHA256>.authenticationCode(for: content, using: key))
  }
}

extension WebhookSecret: CustomStringConvertible {
  /// Says nothing: a secret that is logged is none.
  package var description: String { "a webhook secret" }
}
