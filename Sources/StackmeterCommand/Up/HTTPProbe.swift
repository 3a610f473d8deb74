internal import Glibc
internal import StackmeterRuntime

/// Asks an HTTP server on this host whether it is there: `GET /healthz`.
struct HTTPProbe: Sendable {
  static let timeoutSeconds = 1

  let host: String
  let port: Int

  /// Never throws: no answer is an answer here.
  func isServing() async -> Bool {
    await blocking { status() == 200 }
  }

  /// The status of the answer, or nil where there is none.
  private func status() -> Int? {
    guard let descriptor = connected() else { return nil }
    defer { close(descriptor) }
    let request = "GET /healthz HTTP/1.1\r\nHost: \(host):\(port)\r\nConnection: close\r\n\r\n"
    let sent = Array(request.utf8).withUnsafeBytes {
      send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    guard sent == request.utf8.count else { return nil }
    var answer = [UInt8](repeating: 0, count: 12)
    let count = answer.withUnsafeMutableBytes {
      recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_WAITALL))
    }
    guard count == answer.count, answer.starts(with: "HTTP/1.".utf8) else { return nil }
    return Int(String(decoding: answer[9...], as: UTF8.self))
  }

  private func connected() -> Int32? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &list) == 0 else { return nil }
    defer { freeaddrinfo(list) }
    var next = list
    while let address = next?.pointee {
      let descriptor = socket(
        address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), address.ai_protocol)
      guard descriptor >= 0 else { return nil }
      var timeout = timeval(tv_sec: HTTPProbe.timeoutSeconds, tv_usec: 0)
      let size = socklen_t(MemoryLayout<timeval>.size)
      setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
      if connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return descriptor }
      close(descriptor)
      next = address.ai_next
    }
    return nil
  }
}
