/// Frames of HTTP/2 and gRPC as bytes, right ones and wrong ones, for peers that are not what they should be.
enum RawHTTP2 {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  enum Kind: UInt8 {
    case data = 0
    case headers, priority, reset, settings, push, ping, goAway, window, continuation
  }

  static let endStream: UInt8 = 1
  static let endHeaders: UInt8 = 4

  static func frame(
    _ kind: Kind, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = [], length: Int? = nil
  ) -> [UInt8] {
    let length = length ?? payload.count
    return [
      UInt8(truncatingIfNeeded: length >> 16), UInt8(truncatingIfNeeded: length >> 8),
      UInt8(truncatingIfNeeded: length), kind.rawValue, flags,
    ] + number(stream) + payload
  }

  /// What a client begins with.
  static let start = preface + frame(.settings)

  /// The headers of a call, without a dynamic table.
  static func headers(_ path: String, stream: UInt32) -> [UInt8] {
    // :method POST, :scheme http, and then :path, :authority, content-type and te.
    var block: [UInt8] = [0x83, 0x86]
    let fields: [([UInt8], String)] = [
      ([0x04], path), ([0x01], "localhost"), ([0x0F, 0x10], "application/grpc"),
      ([0x00, 2, 0x74, 0x65], "trailers"),
    ]
    for (name, value) in fields { block += name + [UInt8(value.utf8.count)] + Array(value.utf8) }
    return frame(.headers, flags: endHeaders, stream: stream, block)
  }

  /// One gRPC message, or the start of one that says it is longer.
  static func message(_ bytes: [UInt8], compressed: UInt8 = 0, length: UInt32? = nil) -> [UInt8] {
    [compressed] + number(length ?? UInt32(bytes.count)) + bytes
  }

  static func number(_ value: UInt32) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }

  static let report = "/stackmeter.v1.Collector/Report"
  static let readJournal = "/stackmeter.v1.Collector/ReadJournal"

  /// A whole call, and then whatever comes.
  static func call(_ path: String, stream: UInt32 = 1, _ data: [UInt8]) -> [UInt8] {
    headers(path, stream: stream) + frame(.data, flags: endStream, stream: stream, data)
  }

  private static func repeated(_ count: Int, _ bytes: (UInt32) -> [UInt8]) -> [UInt8] {
    var all: [UInt8] = []
    for number in 0..<UInt32(count) { all += bytes(number) }
    return all
  }

  /// Peers that hang up at once, and peers that may go on as long as they like.
  static let behaviours: [(name: String, bytes: [UInt8])] = connections + calls + floods

  /// What is wrong before any call.
  private static let connections: [(name: String, bytes: [UInt8])] = [
    ("nothing", []),
    ("an HTTP/1.1 request", Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)),
    ("half of a preface", Array(preface.prefix(12))),
    ("NULs", [UInt8](repeating: 0, count: 65_536)),
    ("a frame that says it has 16 MB", begun(frame(.data, stream: 1, length: 0xFF_FFFF))),
    ("half of a frame", begun(Array(headers(report, stream: 1).prefix(20)))),
    ("data for no stream", begun(frame(.data, stream: 7, [1]))),
    ("data for the connection", begun(frame(.data, [1]))),
    ("a push", begun(frame(.push, flags: endHeaders, stream: 1, number(2)))),
    ("a window of nothing", begun(frame(.window, number(0)))),
    ("windows that overflow", begun(repeated(2) { _ in frame(.window, number(0x7FFF_FFFF)) })),
    ("wrong settings", begun(frame(.settings, [0, 4, 0xFF, 0xFF, 0xFF, 0xFF]))),
    (
      "headers that do not unpack",
      begun(frame(.headers, flags: endHeaders, stream: 1, [0xFF, 0xFF, 0xFF, 0xFF]))
    ),
    ("a farewell", begun(frame(.goAway, [UInt8](repeating: 0, count: 8)))),
  ]

  /// What is wrong with a call.
  private static let calls: [(name: String, bytes: [UInt8])] = [
    ("half of a message", begun(unfinished(message([1, 2], length: 100)))),
    ("a message over the limit", begun(unfinished(message([], length: 9 << 20)))),
    ("a message that says it has 4 GB", begun(call(report, message([], length: .max)))),
    ("a compressed message", begun(call(report, message([1, 2, 3], compressed: 1)))),
    ("a message of another form", begun(call(report, message([0xFF, 0xFF, 0xFF])))),
    ("an unknown method", begun(call("/stackmeter.v1.Collector/Nothing", message([])))),
    ("an unknown service", begun(call("/x.Y/Report", message([])))),
    ("a path of nothing", begun(call("", message([])))),
    ("a stream of an even number", begun(call(report, stream: 2, message([])))),
  ]

  /// Too much of what would be right once.
  private static let floods: [(name: String, bytes: [UInt8])] = [
    ("settings", begun(repeated(20_000) { _ in frame(.settings) })),
    ("pings", begun(repeated(20_000) { _ in frame(.ping, [UInt8](repeating: 7, count: 8)) })),
    (
      "empty data",
      begun(headers(report, stream: 1) + repeated(20_000) { _ in frame(.data, stream: 1) })
    ),
    (
      "headers that never end",
      begun(
        frame(.headers, stream: 1, [0x83])
          + repeated(2000) { _ in frame(.continuation, stream: 1, [0x83, 0x86]) })
    ),
    (
      "calls that are taken back",
      begun(
        repeated(5000) { call in
          headers(report, stream: call * 2 + 1) + frame(.reset, stream: call * 2 + 1, number(8))
        })
    ),
    (
      "more calls than a connection may have",
      begun(repeated(2000) { headers(readJournal, stream: $0 * 2 + 1) })
    ),
  ]

  private static func begun(_ bytes: [UInt8]) -> [UInt8] { start + bytes }

  private static func unfinished(_ data: [UInt8]) -> [UInt8] {
    headers(report, stream: 1) + frame(.data, stream: 1, data)
  }
}
