/// The mounts that this process sees, from `/proc/self/mountinfo`.
struct MountTable: Equatable {
  private(set) var mounts: [Mount] = []

  struct Mount: Equatable {
    /// `major:minor` of the filesystem.
    let device: String
    /// The directory of the filesystem that is mounted.
    let root: String
    let path: String
    let type: String
    let source: String
  }

  init(mountinfo bytes: [UInt8]) {
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: 0x20, omittingEmptySubsequences: false)
      // The number of optional fields varies; a lone hyphen ends them.
      guard fields.count >= 10,
        let hyphen = fields[6...].firstIndex(where: { $0.elementsEqual("-".utf8) }),
        fields.count > hyphen + 2
      else { continue }
      mounts.append(
        Mount(
          device: String(decoding: fields[2], as: UTF8.self), root: unescaped(fields[3]),
          path: unescaped(fields[4]), type: unescaped(fields[hyphen + 1]),
          source: unescaped(fields[hyphen + 2])))
    }
  }

  /// Where the unified cgroup hierarchy is mounted.
  var unifiedCgroups: String? { mounts.first { $0.type == "cgroup2" }?.path }

  /// The filesystems whose capacity is metered: each device once, at the first of its mounts with the shortest
  /// path, or where the operator names one. A loop device is not, because its bytes are those of a file.
  func filesystems(configured: Set<String>) -> [Mount] {
    var chosen: [String: Mount] = [:]
    for mount in mounts {
      let isConfigured = configured.contains(mount.path)
      let isReal = mount.source.hasPrefix("/dev/") && !mount.source.hasPrefix("/dev/loop")
      guard isConfigured || isReal else { continue }
      guard let other = chosen[mount.device] else {
        chosen[mount.device] = mount
        continue
      }
      let otherIsConfigured = configured.contains(other.path)
      if isConfigured == otherIsConfigured
        ? mount.path.utf8.count < other.path.utf8.count : isConfigured
      {
        chosen[mount.device] = mount
      }
    }
    return chosen.values.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }
}

/// The kernel writes space, tab, newline and backslash as a backslash and three octal digits.
private func unescaped(_ bytes: ArraySlice<UInt8>) -> String {
  guard bytes.contains(UInt8(ascii: "\\")) else { return String(decoding: bytes, as: UTF8.self) }
  var text: [UInt8] = []
  var rest = bytes
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "\\"), rest.count >= 3,
      let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
    {
      text.append(code)
      rest = rest.dropFirst(3)
    } else {
      text.append(byte)
    }
  }
  return String(decoding: text, as: UTF8.self)
}
