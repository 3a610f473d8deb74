import NIOCore
import NIOPosix
import NIOSSL
import StackmeterCore

/// What a server answered, byte for byte.
struct HTTPAnswer {
  let status: Int
  /// By lower-case name.
  let headers: [String: String]
  let body: [UInt8]

  var text: String { String(decoding: body, as: UTF8.self) }

  /// The body as JSON; null where it is none.
  var json: JSONValue { (try? JSONValue(parsing: body, limits: .batch)) ?? .null }

  /// A member below the body by its path: `error.code`, `value.0.name`.
  subscript(path: String) -> JSONValue? {
    var value = json
    for name in path.split(separator: ".") {
      switch value {
      case .object(let members):
        guard let member = members.first(where: { $0.name == name }) else { return nil }
        value = member.value
      case .array(let elements):
        guard let index = Int(name), elements.indices.contains(index) else { return nil }
        value = elements[index]
      default: return nil
      }
    }
    return value
  }
}

/// Sends bytes to a port of this host and reads one answer; nil where the server closes without one.
///
/// `more` is sent after `bytes`. Knows just enough of HTTP for tests, and so sends whatever a test wants sent.
func exchange(
  port: Int, _ bytes: [UInt8], closesAfterSending: Bool = false, isHead: Bool = false,
  tls: NIOSSLContext? = nil, then more: (@Sendable () async throws -> [UInt8])? = nil
) async throws -> HTTPAnswer? {
  let channel = try await rawChannel(port: port, tls: tls)
  return try await channel.executeThenClose { inbound, outbound in
    try await outbound.write(ByteBuffer(bytes: bytes))
    if let more { try await outbound.write(ByteBuffer(bytes: try await more())) }
    if closesAfterSending { outbound.finish() }
    var received: [UInt8] = []
    do {
      for try await chunk in inbound {
        received += Array(chunk.readableBytesView)
        if let answer = answer(received, isHead: isHead) { return answer }
      }
    } catch is IOError {}
    return nil
  }
}

/// Nil while the answer is not whole.
private func answer(_ bytes: [UInt8], isHead: Bool) -> HTTPAnswer? {
  let end = Array("\r\n\r\n".utf8)
  guard
    let headEnd = bytes.indices.first(where: { bytes[$0...].starts(with: end) })
  else { return nil }
  let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).split(separator: "\r\n")
  let statusLine = (lines.first ?? "").split(separator: " ")
  guard statusLine.count > 1, let status = Int(statusLine[1]) else { return nil }
  var headers: [String: String] = [:]
  for line in lines.dropFirst() {
    let parts = line.split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { continue }
    headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
  }
  let body = Array(bytes[(headEnd + end.count)...])
  guard isHead || body.count >= headers["content-length"].flatMap({ Int($0) }) ?? 0 else {
    return nil
  }
  if headers["transfer-encoding"] == "chunked", !isHead {
    // The last chunk and what stands behind it.
    let text = String(decoding: body, as: UTF8.self)
    guard text.hasPrefix("0\r\n") || text.contains("\r\n0\r\n"), text.hasSuffix("\r\n\r\n") else {
      return nil
    }
  }
  return HTTPAnswer(status: status, headers: headers, body: body)
}

private func rawChannel(
  port: Int, tls: NIOSSLContext? = nil
) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
  try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .channelOption(.allowRemoteHalfClosure, value: true)
    .connect(host: "127.0.0.1", port: port) { channel in
      channel.eventLoop.makeCompletedFuture {
        if let tls {
          try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
        }
        return try NIOAsyncChannel(
          wrappingChannelSynchronously: channel,
          configuration: .init(
            isOutboundHalfClosureEnabled: true, inboundType: ByteBuffer.self,
            outboundType: ByteBuffer.self))
      }
    }
}

/// Sends bytes and reads all that comes until the server closes the connection. With `drip`, that byte again and again
/// meanwhile.
func conversation(port: Int, _ bytes: [UInt8], drip: UInt8? = nil) async throws -> [UInt8] {
  let channel = try await rawChannel(port: port)
  return try await channel.executeThenClose { inbound, outbound in
    try await withThrowingTaskGroup(of: Void.self) { group in
      if !bytes.isEmpty { try await outbound.write(ByteBuffer(bytes: bytes)) }
      if let drip {
        group.addTask {
          while true {
            try await outbound.write(ByteBuffer(bytes: [drip]))
            try await Task.sleep(for: .milliseconds(5))
          }
        }
      }
      var received: [UInt8] = []
      do {
        for try await chunk in inbound { received += Array(chunk.readableBytesView) }
      } catch is IOError {}
      group.cancelAll()
      while !group.isEmpty { _ = try? await group.next() }
      return received
    }
  }
}

/// Sends bytes and reads nothing for as long as `body` runs.
func withUnread(
  port: Int, _ bytes: [UInt8], _ body: @escaping @Sendable () async throws -> Void
) async throws {
  let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .channelOption(.autoRead, value: false)
    .channelOption(.socketOption(.so_rcvbuf), value: 4096)
    .connect(host: "127.0.0.1", port: port).get()
  // The server may stop reading before all of it is sent.
  channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
  do {
    try await body()
  } catch {
    try? await channel.close()
    throw error
  }
  try? await channel.close()
}
