/// Where another service is told something by HTTP.
package enum RemoteAddress {
  /// What is told, and its key, travel encrypted, unless they stay on this host. Nil where the address is good.
  package static func problem(of address: String) -> String? {
    guard let scheme = ["https://", "http://"].first(where: { address.hasPrefix($0) }) else {
      return "must begin with https://"
    }
    let rest = address.dropFirst(scheme.count)
    let authority = rest.prefix { !"/?#".contains($0) }
    guard !authority.isEmpty, !authority.contains("@"), !address.contains("#"),
      address.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return "must be an address with a host, and without a name, password or fragment" }
    guard scheme == "http://" else { return nil }
    let host =
      authority.hasPrefix("[")
      ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
    guard ["localhost", "127.0.0.1", "[::1]"].contains(String(host)) else {
      return "must begin with https://, as it is not this host"
    }
    return nil
  }
}
