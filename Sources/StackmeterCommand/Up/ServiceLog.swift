internal import Glibc
internal import StackmeterCore
internal import StackmeterRuntime

/// The file that a supervised process writes its log to, and the old one beside it, `<name>.log.1`.
///
/// The process itself has the file open for appending, so that it can go on without its supervisor; so a
/// full file is copied and then emptied. Lines written in the instant between the two are lost.
struct ServiceLog: Sendable {
  static let bytesMax = 16 << 20

  let path: String

  init(directory: String, service: String) {
    path = "\(directory)/\(service).log"
  }

  /// Opens the file for a process to append to.
  func open() throws(FileReadError) -> Int32 {
    rotateIfFull()
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o640)
    guard descriptor >= 0 else {
      throw FileReadError(path: path, problem: String(cString: strerror(errno)))
    }
    return descriptor
  }

  /// A log that cannot be rotated grows; that is no reason to stop metering.
  func rotateIfFull(bytesMax: Int = bytesMax) {
    var status = stat()
    guard stat(path, &status) == 0, status.st_size > bytesMax else { return }
    let source = Glibc.open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard source >= 0 else { return }
    defer { close(source) }
    let old = "\(path).1"
    let temporary = "\(old).new"
    let target = Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
    guard target >= 0 else { return }
    defer { close(target) }
    while true {
      let count = sendfile(target, source, nil, 1 << 20)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { return }
      if count == 0 { break }
    }
    if rename(temporary, old) == 0 { ftruncate(source, 0) }
  }

  /// The message of the last line; the line itself where it is not one of ours; empty where there is none.
  func lastMessage() -> String {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    var tail = [UInt8](repeating: 0, count: 8 << 10)
    let start = max(0, size - off_t(tail.count))
    let count = tail.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, start) }
    guard count > 0, let line = tail[..<count].split(separator: UInt8(ascii: "\n")).last else {
      return ""
    }
    if let value = try? JSONValue(parsing: Array(line), limits: .event),
      let message = JSONObject(value, path: "")?["message"]?.string
    {
      return message
    }
    return String(decoding: line, as: UTF8.self)
  }
}
