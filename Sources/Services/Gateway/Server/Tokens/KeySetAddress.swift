internal import StackmeterCore

/// The URL of a key set: `https://host[:port]/path`, or `http://` on this host only.
struct KeySetAddress: Hashable, Sendable {
  let text: String
  let isSecure: Bool
  let host: String
  let port: Int
  /// Path and query, as they are sent.
  let target: String

  /// What an address must be, for problems.
  static let expectation =
    "must be an https:// URL of a key set (http:// is taken for localhost only), or a file's path"

  /// Whether a setting is meant as a URL and not as a path.
  static func isURL(_ text: String) -> Bool { text.contains("://") }

  /// Nil for what is no such URL, and for one that holds a user name or a fragment.
  init?(_ text: String) {
    let lower = text.asciiLowercased
    guard lower.hasPrefix("https://") || lower.hasPrefix("http://"), text.utf8.count <= 2048,
      text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !text.contains("#")
    else { return nil }
    isSecure = lower.hasPrefix("https://")
    let rest = text.dropFirst(isSecure ? 8 : 7)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let target = rest.dropFirst(authority.count)
    guard !authority.contains("@") else { return nil }
    var host = authority
    var port = isSecure ? 443 : 80
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[authority.index(after: authority.startIndex)..<end]
      let after = authority[authority.index(after: end)...]
      if !after.isEmpty {
        guard after.first == ":", let given = Int(after.dropFirst()) else { return nil }
        port = given
      }
    } else if let colon = authority.firstIndex(of: ":") {
      guard let given = Int(authority[authority.index(after: colon)...]) else { return nil }
      host = authority[..<colon]
      port = given
    }
    guard !host.isEmpty, (1...65_535).contains(port) else { return nil }
    self.text = text
    self.host = String(host)
    self.port = port
    self.target = target.hasPrefix("/") ? String(target) : "/" + target
    guard isSecure || ["localhost", "127.0.0.1", "::1"].contains(self.host.asciiLowercased) else {
      return nil
    }
  }

  /// Whether the host is an address, which TLS does not send as a name.
  var isHostAnAddress: Bool {
    host.contains(":")
      || host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
  }
}
