internal import Glibc

/// One connection to a port of this host, kept over many requests. Every call blocks.
struct HTTPConnection: ~Copyable {
  private let descriptor: Int32
  private let port: Int

  init(port: Int) throws(BenchFailure) {
    self.port = port
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var one: Int32 = 1
    setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      let code = errno
      close(descriptor)
      throw BenchFailure("connect to", "127.0.0.1:\(port)", errno: code)
    }
  }

  deinit {
    close(descriptor)
  }

  /// Sends a request, and gives the status and the body of its answer.
  func exchange(
    _ method: String, _ path: String, headers: [String], body: [UInt8]
  ) throws(BenchFailure) -> (status: Int, body: [UInt8]) {
    let lines =
      ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Content-Length: \(body.count)"]
      + headers
    try send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body)
    var received: [UInt8] = []
    while true {
      try receive(&received)
      if let answer = HTTPConnection.answer(received) { return answer }
    }
  }

  /// Asks for what is sent in chunks, and lends its bytes as they come; gives the status. An answer that is not sent in
  /// chunks lends nothing.
  func stream(
    _ path: String, headers: [String], _ take: (ArraySlice<UInt8>) -> Void
  ) throws(BenchFailure) -> Int {
    let lines = ["GET \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)"] + headers
    try send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8))
    var received: [UInt8] = []
    var status: Int?
    while true {
      try receive(&received)
      if status == nil {
        guard let head = HTTPConnection.head(received) else { continue }
        guard head.isChunked else { return head.status }
        status = head.status
        received.removeFirst(head.bytes)
      }
      while let (size, start) = HTTPConnection.chunk(received) {
        if size == 0 { return status! }
        // The chunk and the end of its line.
        guard received.count >= start + size + 2 else { break }
        take(received[start..<start + size])
        received.removeFirst(start + size + 2)
      }
    }
  }

  private func receive(_ received: inout [UInt8]) throws(BenchFailure) {
    let code: Int32? = withUnsafeTemporaryAllocation(byteCount: 256 << 10, alignment: 1) { chunk in
      while true {
        let count = recv(descriptor, chunk.baseAddress, chunk.count, 0)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return count == 0 ? 0 : errno }
        received.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count]))
        return nil
      }
    }
    switch code {
    case nil: return
    case 0: throw BenchFailure("the gateway closed the connection")
    case let code?: throw BenchFailure("receive from", "127.0.0.1:\(port)", errno: code)
    }
  }

  /// The size of the chunk that begins here, and where its bytes are; nil before its line is there.
  static func chunk(_ bytes: [UInt8]) -> (size: Int, start: Int)? {
    guard let end = bytes.prefix(20).firstIndex(of: UInt8(ascii: "\n")), end > 0,
      let size = Int(String(decoding: bytes[..<(end - 1)], as: UTF8.self), radix: 16)
    else { return nil }
    return (size, end + 1)
  }

  static func head(_ bytes: [UInt8]) -> (status: Int, isChunked: Bool, bytes: Int)? {
    let text = String(decoding: bytes.prefix(8192), as: UTF8.self)
    guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
    let words = text[..<end.lowerBound].split(separator: " ", maxSplits: 2)
    guard words.count > 1, let status = Int(words[1]) else { return nil }
    let isChunked = text[..<end.lowerBound].lowercased().contains("transfer-encoding: chunked")
    return (status, isChunked, text[..<end.upperBound].utf8.count)
  }

  private func send(_ bytes: [UInt8]) throws(BenchFailure) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw BenchFailure("send to", "127.0.0.1:\(port)", errno: errno) }
      start += count
    }
  }

  /// Nil while the answer is not whole. One without a length has no body.
  static func answer(_ bytes: [UInt8]) -> (status: Int, body: [UInt8])? {
    let text = String(decoding: bytes.prefix(8192), as: UTF8.self)
    guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
    let headBytes = text[..<end.upperBound].utf8.count
    let lines = text[..<end.lowerBound].split(separator: "\r\n")
    let words = (lines.first ?? "").split(separator: " ")
    guard words.count > 1, let status = Int(words[1]) else { return nil }
    let length = lines.lazy.compactMap { line -> Int? in
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, parts[0].lowercased() == "content-length" else { return nil }
      return Int(parts[1].drop { $0 == " " })
    }.first
    let body = bytes[headBytes...]
    return body.count < length ?? 0 ? nil : (status, Array(body))
  }
}
