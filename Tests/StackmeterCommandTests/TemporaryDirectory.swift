internal import Glibc

/// A directory with a short path that is removed, with its files, at the end of a test.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/smc-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CannotMake(errno: errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        unlink("\(path)/\(name)")
      }
      closedir(directory)
    }
    rmdir(path)
  }

  /// Writes a file and gives its path.
  func write(_ name: String, _ text: String, appending: Bool = false) throws -> String {
    let file = "\(path)/\(name)"
    let mode = appending ? O_APPEND : O_TRUNC
    let descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | mode, 0o600)
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard count == bytes.count else { throw CannotMake(errno: errno) }
    return file
  }

  struct CannotMake: Error {
    let errno: Int32
  }
}
