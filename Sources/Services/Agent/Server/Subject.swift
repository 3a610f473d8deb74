/// What is metered on this host: one cgroup, user, filesystem, directory or network interface.
package struct Subject: Hashable, Sendable {
  package let kind: Kind
  /// As the kernel names it: a cgroup's path below its hierarchy's root, a user's number, a mount point, a
  /// directory's path, an interface's name.
  package let name: String

  package init(_ kind: Kind, _ name: String) {
    self.kind = kind
    self.name = name
  }

  /// The raw values are the resource types of the URIs and stand in the state file.
  package enum Kind: String, CaseIterable, Sendable {
    case cgroup = "cgroups"
    case user = "users"
    case filesystem = "filesystems"
    case directory = "directories"
    case networkInterface = "networkInterfaces"
  }

  /// The resource's ARM-style id. `label` is the subject's name for people: a user's login name.
  func resourceURI(subscription: String, host: String, label: String) -> String {
    "/subscriptions/\(subscription)/resourceGroups/\(host.percentEncoded(bytesMax: 128))"
      + "/providers/Stackmeter.Agent/\(kind.rawValue)/\(label.percentEncoded(bytesMax: 512))"
  }
}

extension Subject: Comparable {
  /// By kind, then by name, by bytes: the same order in every locale.
  package static func < (left: Subject, right: Subject) -> Bool {
    left.kind == right.kind
      ? left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
      : left.kind.rawValue < right.kind.rawValue
  }
}

extension String {
  /// The text with everything but letters, digits, `-`, `.`, `_`, `~`, `@` and `:` as `%XX`. A result longer
  /// than `bytesMax` is cut and ends in a hash of the whole text, so that different texts stay different.
  func percentEncoded(bytesMax: Int) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "@"), UInt8(ascii: ":"):
        encoded.append(byte)
      default:
        encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    guard encoded.count > bytesMax else { return String(decoding: encoded, as: UTF8.self) }
    let suffix = "~" + String(utf8.fowlerNollVoHash, radix: 16)
    return String(decoding: encoded.prefix(bytesMax - suffix.utf8.count), as: UTF8.self) + suffix
  }
}

extension Sequence<UInt8> {
  /// FNV-1a in 128 bits: a stable name for a text that is too long, not a defence.
  fileprivate var fowlerNollVoHash: UInt128 {
    var hash: UInt128 = 144_066_263_297_769_815_596_495_629_667_062_367_629
    for byte in self {
      hash = (hash ^ UInt128(byte)) &* 309_485_009_821_345_068_724_781_371
    }
    return hash
  }
}
