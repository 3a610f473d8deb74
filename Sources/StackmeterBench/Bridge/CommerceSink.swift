internal import Glibc
internal import StackmeterCommerce
internal import StackmeterCompression
internal import StackmeterCore
internal import StackmeterRuntime
internal import Synchronization

/// A commerce service on this host that takes everything, and knows what it took: HTTP as the bridge speaks it, and no
/// more.
final class CommerceSink: Sendable {
  /// What has arrived.
  struct Taken: Equatable {
    var records = 0
    /// In 10⁻¹⁸ units.
    var attos: Int128 = 0
    var batches = 0
    var bytes = 0
    var repeated = 0
  }

  private struct State {
    var taken = Taken()
    var ids: Set<UInt64> = []
  }

  let port: Int
  private let listener: Int32
  private let state = Mutex(State())

  init() throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 64) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    guard isBound else { throw BenchFailure("listen", "127.0.0.1", errno: errno) }
    port = Int(UInt16(bigEndian: address.sin_port))
    onThread {
      while true {
        let connection = Glibc.accept(listener, nil, nil)
        guard connection >= 0 else { return }
        onThread {
          var buffer: [UInt8] = []
          while self.serve(connection, &buffer) {}
          Glibc.close(connection)
        }
      }
    }
  }

  var taken: Taken { state.withLock { $0.taken } }

  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  /// One request; false where the connection is at its end.
  private func serve(_ connection: Int32, _ bytes: inout [UInt8]) -> Bool {
    bytes.removeAll(keepingCapacity: true)
    var headEnd: Int?
    while headEnd == nil {
      guard receive(connection, &bytes) else { return false }
      headEnd = CommerceSink.first(CommerceSink.separator, in: bytes, from: 0)
    }
    let bodyStart = headEnd! + CommerceSink.separator.count
    let head = String(decoding: bytes[..<bodyStart], as: UTF8.self).lowercased()
    guard
      let field = head.split(separator: "\r\n").first(where: { $0.hasPrefix("content-length:") }),
      let length = Int(field.dropFirst(15).drop { $0 == " " })
    else { return false }
    while bytes.count < bodyStart + length {
      guard receive(connection, &bytes) else { return false }
    }
    guard
      let text = try? GzipDecoder.decode(
        Array(bytes[bodyStart...]), GzipLimits(outputBytesMax: CommerceBatch.receivedBytesMax)),
      let answer = take(text, compressedBytes: length)
    else { return false }
    let body = answer.json()
    let reply = Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
    return send(connection, reply, reply.count, Int32(MSG_NOSIGNAL)) == reply.count
  }

  private func receive(_ connection: Int32, _ bytes: inout [UInt8]) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 256 << 10, alignment: 16) { room in
      let count = recv(connection, room.baseAddress, room.count, 0)
      if count > 0 { bytes.append(contentsOf: room.prefix(count)) }
      return count > 0
    }
  }

  private static let separator = Array("\r\n\r\n".utf8)
  private static let batch = Array("{\"batch\":\"".utf8)
  private static let record = Array("{\"id\":\"r1-".utf8)
  private static let quantity = Array("\"quantity\":\"".utf8)

  /// Counts a batch by its records' ids and quantities; nil where it is none.
  private func take(_ text: [UInt8], compressedBytes: Int) -> CommerceAnswer? {
    guard text.starts(with: CommerceSink.batch) else { return nil }
    let start = CommerceSink.batch.count
    let id = String(decoding: text[start...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    var ids: [UInt64] = []
    var attos: Int128 = 0
    var place = 0
    while let record = CommerceSink.first(CommerceSink.record, in: text, from: place) {
      let digits = record + CommerceSink.record.count
      guard digits + 16 <= text.count,
        let number = UInt64(String(decoding: text[digits..<digits + 16], as: UTF8.self), radix: 16),
        let found = CommerceSink.first(CommerceSink.quantity, in: text, from: digits)
      else { return nil }
      let first = found + CommerceSink.quantity.count
      let end = text[first...].firstIndex(of: UInt8(ascii: "\"")) ?? text.count
      guard
        let quantity = try? Quantity(
          parsing: String(decoding: text[first..<end], as: UTF8.self))
      else { return nil }
      ids.append(number)
      attos += quantity.attos
      place = end
    }
    return state.withLock { state in
      var answer = CommerceAnswer(batch: id, accepted: 0, duplicates: 0)
      for id in ids {
        if state.ids.insert(id).inserted { answer.accepted += 1 } else { answer.duplicates += 1 }
      }
      state.taken.records += ids.count
      state.taken.attos += attos
      state.taken.batches += 1
      state.taken.bytes += compressedBytes
      state.taken.repeated += answer.duplicates
      return answer
    }
  }

  private static func first(_ text: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return nil }
      var place = start
      while place + text.count <= bytes.count {
        let left = bytes.count - place - text.count + 1
        guard let found = memchr(base + place, Int32(text[0]), left) else { return nil }
        place = UnsafeRawPointer(found) - base
        if memcmp(found, text, text.count) == 0 { return place }
        place += 1
      }
      return nil
    }
  }
}
