/// What `/proc/<pid>/stat` says of one process.
struct ProcessStatus: Equatable {
  var parent: Int32
  /// When it started, in ticks since boot: with the number, its identity.
  var start: UInt64
  /// Ticks of CPU time of the process, all its threads, those that ended included.
  var own: Int64
  /// Ticks of the children that it waited for, and of theirs.
  var reaped: Int64
  var residentPages: Int64

  /// Nil where the text is not of that form.
  init?(stat bytes: [UInt8]) {
    // The command stands in parentheses and may itself hold any byte, so the last one ends it.
    guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = bytes[(end + 1)...].split { $0 == 0x20 || $0 == 0x0A }
    guard fields.count >= 22,
      let parent = Int32(decimal: fields[1]), let user = Int64(decimal: fields[11]),
      let system = Int64(decimal: fields[12]), let reapedUser = Int64(decimal: fields[13]),
      let reapedSystem = Int64(decimal: fields[14]), let start = UInt64(decimal: fields[19]),
      let pages = Int64(decimal: fields[21])
    else { return nil }
    self.parent = parent
    self.start = start
    own = user + system
    reaped = reapedUser + reapedSystem
    residentPages = max(0, pages)
  }

  /// The real user in the text of `/proc/<pid>/status`.
  static func realUser(status bytes: [UInt8]) -> UInt32? {
    for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: "Uid:".utf8) {
      let fields = line.dropFirst(4).split { $0 == 0x09 || $0 == 0x20 }
      return fields.first.flatMap { UInt32(decimal: $0) }
    }
    return nil
  }
}

extension FixedWidthInteger {
  /// Reads decimal digits, with `-` before them where the type has a sign.
  init?(decimal bytes: ArraySlice<UInt8>) {
    guard let text = String(validating: bytes, as: UTF8.self), let value = Self(text) else {
      return nil
    }
    self = value
  }
}
