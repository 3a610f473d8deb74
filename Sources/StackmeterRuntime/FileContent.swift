internal import Glibc

/// Why a file could not be read whole.
package struct FileReadError: Error, Equatable, CustomStringConvertible {
  package let path: String
  package let problem: String

  package init(path: String, problem: String) {
    self.path = path
    self.problem = problem
  }

  package var description: String { "cannot read \(path): \(problem)" }
}

/// The whole content of a file of at most `bytesMax`.
package func fileContent(
  _ path: String, bytesMax: Int = 16 << 20
) throws(FileReadError) -> [UInt8] {
  func failure() -> FileReadError {
    FileReadError(path: path, problem: String(cString: strerror(errno)))
  }
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw failure() }
  defer { close(descriptor) }
  var content: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 64 << 10)
  while true {
    let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    if count < 0 && errno == EINTR { continue }
    guard count >= 0 else { throw failure() }
    if count == 0 { return content }
    content.append(contentsOf: chunk[..<count])
    guard content.count <= bytesMax else {
      throw FileReadError(path: path, problem: "it has more than \(bytesMax) bytes")
    }
  }
}
