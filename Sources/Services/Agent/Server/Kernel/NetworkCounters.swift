/// The bytes of one interface in `/proc/net/dev`.
struct NetworkCounters: Equatable {
  let name: String
  let received: UInt64
  let sent: UInt64

  /// The interfaces of the file's text. Nil where a line is not of its form.
  static func parse(_ bytes: [UInt8]) -> [NetworkCounters]? {
    var counters: [NetworkCounters] = []
    // Two lines of headings precede the interfaces.
    for line in bytes.split(separator: UInt8(ascii: "\n")).dropFirst(2) {
      guard let colon = line.lastIndex(of: UInt8(ascii: ":")) else { return nil }
      let name = line[..<colon].drop { $0 == 0x20 }
      let fields = line[(colon + 1)...].split(separator: 0x20)
      guard fields.count >= 9, let received = UInt64(decimal: fields[0]),
        let sent = UInt64(decimal: fields[8])
      else { return nil }
      counters.append(
        NetworkCounters(
          name: String(decoding: name, as: UTF8.self), received: received, sent: sent))
    }
    return counters
  }
}
