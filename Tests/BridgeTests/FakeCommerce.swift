import BridgeServer
import Glibc
import StackmeterCommerce
import StackmeterCompression
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Synchronization

/// A commerce service at a real socket that misbehaves as it is told to. Whatever it does on the wire, it counts each
/// record once.
final class FakeCommerce: Sendable {
  /// What it does with a request.
  enum Behaviour: CaseIterable, Hashable, Sendable {
    case good
    /// The connection ends before the request is read.
    case dropsRequest
    /// Everything is counted, and the connection ends.
    case dropsReply
    case failsAfterCommit
    case failsBeforeCommit
    /// As to a batch that it has already, whether or not it has.
    case conflictSame
    case tooMany
    case unavailable
    case hangs
    case garbage
    /// Half of a good answer, and the end; the headers say that more comes.
    case halfAnswer
    /// A whole HTTP answer with half of the JSON.
    case halfJSON
    case redirects
    case unauthorized
    case wrongCounts
    case trickles
    /// The whole batch, without a word which record it is about.
    case refusesBatch
  }

  struct Kept {
    let quantity: Quantity
    let record: CommerceRecord
  }

  private struct State {
    var records: [String: Kept] = [:]
    var conflicts: [String] = []
    var strays = 0
    var occupied: Set<String> = []
    var requests = 0
    var faults: [Behaviour: Int] = [:]
    var windows: [Hour] = []
    var poison: Set<String> = []
    var next: @Sendable () -> Behaviour = { .good }
    var connections: Set<Int32> = []
    var isClosed = false
  }

  let port: Int
  private let listener: Int32
  private let state = Mutex(State())

  init() throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 128) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    guard isBound else { throw ClusterError("no listener: \(errno)") }
    port = Int(UInt16(bigEndian: address.sin_port))
    onThread { self.accept() }
  }

  var endpoint: String { "http://127.0.0.1:\(port)/v1/commerce/usage" }

  /// What is done with each request from now on.
  func behave(_ next: @escaping @Sendable () -> Behaviour) {
    state.withLock { $0.next = next }
  }

  /// These records are refused, each with its batch, or by name.
  func refuse(_ ids: some Sequence<String>) {
    state.withLock { $0.poison.formUnion(ids) }
  }

  /// What records are said to have that somebody else has brought.
  static let otherQuantity = Quantity(-77)

  /// The id is there already, with other content.
  func occupy(_ id: String) {
    state.withLock { _ = $0.occupied.insert(id) }
  }

  func forgive() {
    state.withLock { $0.poison = [] }
  }

  var quantities: [String: Quantity] { state.withLock { $0.records.mapValues(\.quantity) } }
  var records: [CommerceRecord] { state.withLock { $0.records.values.map(\.record) } }
  /// Records that came again under a known id with other content.
  var conflicts: [String] { state.withLock { $0.conflicts } }
  /// Requests to other paths.
  var strays: Int { state.withLock { $0.strays } }
  var requests: Int { state.withLock { $0.requests } }
  var faults: [Behaviour: Int] { state.withLock { $0.faults } }
  /// The windows of the batches, in the order in which they were first counted.
  var windows: [Hour] { state.withLock { $0.windows } }

  func close() {
    let connections = state.withLock { state in
      state.isClosed = true
      return state.connections
    }
    shutdown(listener, Int32(SHUT_RDWR))
    for connection in connections { shutdown(connection, Int32(SHUT_RDWR)) }
  }

  private func accept() {
    while true {
      let connection = Glibc.accept(listener, nil, nil)
      guard connection >= 0 else {
        if errno == EINTR || errno == ECONNABORTED { continue }
        Glibc.close(listener)
        return
      }
      state.withLock { _ = $0.connections.insert(connection) }
      onThread {
        while self.serve(connection) {}
        self.state.withLock { _ = $0.connections.remove(connection) }
        Glibc.close(connection)
      }
    }
  }

  /// One request; false where the connection is at its end.
  private func serve(_ connection: Int32) -> Bool {
    var bytes: [UInt8] = []
    func more() -> Bool {
      var chunk = [UInt8](repeating: 0, count: 64 << 10)
      let count = recv(connection, &chunk, chunk.count, 0)
      guard count > 0 else { return false }
      bytes.append(contentsOf: chunk[..<count])
      return true
    }
    guard more() else { return false }
    let behaviour = state.withLock { state -> Behaviour in
      state.requests += 1
      let behaviour = state.next()
      state.faults[behaviour, default: 0] += 1
      return behaviour
    }
    if behaviour == .dropsRequest { return false }
    let separator = Array("\r\n\r\n".utf8)
    var headEnd: Int?
    while headEnd == nil {
      headEnd = bytes.indices.first { bytes[$0...].starts(with: separator) }
      if headEnd == nil, !more() { return false }
    }
    let head = String(decoding: bytes[..<headEnd!], as: UTF8.self).lowercased()
    guard head.hasPrefix("post /v1/commerce/usage http/1.1") else {
      state.withLock { $0.strays += 1 }
      return answer(connection, 404, "")
    }
    guard
      head.contains("content-encoding: gzip"), head.contains("authorization: bearer secret"),
      let length = head.split(separator: "\r\n").first(where: { $0.hasPrefix("content-length:") })
        .flatMap({ Int($0.dropFirst(15).drop { $0 == " " }) })
    else { return answer(connection, 400, "{}") }
    while bytes.count < headEnd! + 4 + length { if !more() { return false } }
    guard
      let text = try? GzipDecoder.decode(
        Array(bytes[(headEnd! + 4)...]),
        GzipLimits(outputBytesMax: CommerceBatch.receivedBytesMax)),
      let batch = try? CommerceBatch.parse(text),
      head.contains("idempotency-key: \"\(batch.id)\"")
    else { return answer(connection, 400, "{}") }
    return react(connection, behaviour, batch)
  }

  /// Counts the batch's records, and says what a good service says.
  private func count(_ batch: CommerceBatch.Parsed) -> CommerceAnswer {
    state.withLock { state in
      var answer = CommerceAnswer(batch: batch.id, accepted: 0, duplicates: 0)
      for (id, result) in batch.records {
        guard case .success(let record) = result, !state.poison.contains(id) else {
          answer.refused.append(.init(id: id, code: "Refused", reason: "is not liked"))
          continue
        }
        if state.occupied.contains(id) {
          state.records[id] = Kept(quantity: FakeCommerce.otherQuantity, record: record)
          state.conflicts.append(id)
          answer.refused.append(.init(id: id, code: CommerceAnswer.conflict, reason: "differs"))
          continue
        }
        if state.windows.last != record.window { state.windows.append(record.window) }
        if let known = state.records[id] {
          if known.record == record {
            answer.duplicates += 1
          } else {
            state.conflicts.append(id)
            answer.refused.append(.init(id: id, code: CommerceAnswer.conflict, reason: "differs"))
          }
        } else {
          state.records[id] = Kept(quantity: record.quantity, record: record)
          answer.accepted += 1
        }
      }
      return answer
    }
  }

  private func react(
    _ connection: Int32, _ behaviour: Behaviour, _ batch: CommerceBatch.Parsed
  ) -> Bool {
    func good() -> String { String(decoding: count(batch).json(), as: UTF8.self) }
    switch behaviour {
    case .good: return answer(connection, 200, good())
    case .dropsRequest: return false
    case .dropsReply:
      _ = count(batch)
      return false
    case .failsAfterCommit:
      _ = count(batch)
      return answer(connection, 500, "{\"error\":\"lost\"}")
    case .failsBeforeCommit: return answer(connection, 503, "")
    case .conflictSame: return answer(connection, 409, good())
    case .tooMany: return answer(connection, 429, "slow down", "Retry-After: 0\r\n")
    case .unavailable: return answer(connection, 503, "", "Retry-After: 0\r\n")
    case .hangs:
      // Until the other side has had enough.
      var byte: UInt8 = 0
      _ = recv(connection, &byte, 1, 0)
      return false
    case .garbage:
      _ = count(batch)
      write(connection, "\u{1}\u{2} this is no HTTP\r\n\r\n")
      return false
    case .halfAnswer:
      let text = good()
      write(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text.prefix(text.count / 2))"
      )
      return false
    case .halfJSON:
      let text = good()
      return answer(connection, 200, String(text.prefix(text.count / 2)))
    case .redirects:
      return answer(connection, 307, "", "Location: http://127.0.0.1:\(port)/elsewhere\r\n")
    case .unauthorized: return answer(connection, 401, "")
    case .wrongCounts:
      var wrong = count(batch)
      wrong.accepted += 1
      return answer(connection, 200, String(decoding: wrong.json(), as: UTF8.self))
    case .trickles:
      _ = count(batch)
      write(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
      return false
    case .refusesBatch:
      return answer(
        connection, 422, "{\"batch\":\"\(batch.id)\",\"code\":\"Bad\",\"reason\":\"one is bad\"}")
    }
  }

  private func answer(
    _ connection: Int32, _ status: Int, _ body: String, _ headers: String = ""
  ) -> Bool {
    write(
      connection,
      "HTTP/1.1 \(status) Status\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    return true
  }

  private func write(_ connection: Int32, _ text: String) {
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      start += count
    }
  }
}
