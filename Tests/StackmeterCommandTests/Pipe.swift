internal import CStackmeterSupport
internal import Glibc
internal import Synchronization

/// A pipe for tests; both ends are closed with it.
final class Pipe: Sendable {
  let readEnd: Int32
  private let openWriteEnd: Mutex<Int32?>

  init() throws {
    var ends: [Int32] = [-1, -1]
    guard stackmeter_pipe(&ends) == 0 else { throw PipeError(errno: errno) }
    readEnd = ends[0]
    openWriteEnd = Mutex(ends[1])
  }

  deinit {
    close(readEnd)
    closeWriteEnd()
  }

  var writeEnd: Int32 { openWriteEnd.withLock { $0 } ?? -1 }

  func closeWriteEnd() {
    openWriteEnd.withLock { descriptor in
      if let open = descriptor { close(open) }
      descriptor = nil
    }
  }

  func write(_ text: String) {
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.write(writeEnd, $0.baseAddress, $0.count)
      }
      guard count > 0 else { return }
      start += count
    }
  }

  /// Everything until the last write end is closed. Blocks.
  func readAll() -> [UInt8] {
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = chunk.withUnsafeMutableBytes { read(readEnd, $0.baseAddress, $0.count) }
      guard count > 0 else { return content }
      content += chunk[..<count]
    }
  }

  struct PipeError: Error {
    let errno: Int32
  }
}
