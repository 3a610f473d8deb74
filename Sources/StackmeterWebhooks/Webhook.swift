package import StackmeterCore

/// One try to deliver a message, in the manner of Standard Webhooks 1.0: its headers say when it was sent, and prove by
/// whom.
///
/// The id and the body of a message are the same in each try; the time and so the signatures are not.
package struct Webhook: Sendable {
  /// The version of signatures that are an HMAC-SHA256.
  private static let version = "v1"

  /// Unique to the message: a receiver that has seen it needs to do nothing.
  package let id: String
  /// Of this try, in seconds since 1970.
  package let timestamp: Int64
  package let body: [UInt8]

  /// - Parameters:
  ///   - id: Of the message. What is no letter, digit, `-`, `_` or `/` is percent-encoded: then it can stand in a
  ///     header, and what is signed, which has points between its parts, can be read in one way only.
  ///   - sent: When this try is made; a part of a second does not count.
  package init(id: String, sent: Instant, body: [UInt8]) {
    self.id = Webhook.encoded(id)
    timestamp = sent.nanoseconds.flooredDivision(by: Instant.nanosecondsPerSecond)
    self.body = body
  }

  private static func encoded(_ id: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in id.utf8 {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "/"):
        bytes.append(byte)
      default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The headers of the request. Where a secret is being replaced there is a signature by each, so that sender and
  /// receiver need not change at the same moment.
  package func headers(_ secrets: [WebhookSecret]) -> [(name: String, value: String)] {
    precondition(!secrets.isEmpty, "a message that nobody signs is no webhook")
    let content = Array("\(id).\(timestamp).".utf8) + body
    let signatures = secrets.map { "\(Webhook.version),\(Base64.text($0.code(of: content)))" }
    return [
      ("webhook-id", id), ("webhook-timestamp", String(timestamp)),
      ("webhook-signature", signatures.joined(separator: " ")),
    ]
  }
}
