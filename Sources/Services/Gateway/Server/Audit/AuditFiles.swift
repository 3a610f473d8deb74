internal import Glibc
internal import StackmeterRuntime

/// The audit log cannot be written or read.
package struct AuditError: Error, Equatable, CustomStringConvertible {
  package let description: String

  static func failure(_ operation: String, _ path: String) -> AuditError {
    AuditError(
      description: "the audit log: cannot \(operation) \(path): \(String(cString: strerror(errno)))"
    )
  }
}

/// Where the parts of an audit log are: `audit.jsonl`, which grows; `audit-<first line>.jsonl`, which are full; `head`
/// and `lock`.
struct AuditFiles {
  let directory: String

  var current: String { "\(directory)/audit.jsonl" }
  var head: String { "\(directory)/\(AuditSnapshot.headName)" }
  var lock: String { "\(directory)/lock" }

  func full(first: UInt64) -> String {
    let digits = String(first)
    let zeros = String(repeating: "0", count: max(0, 20 - digits.count))
    return "\(directory)/audit-\(zeros)\(digits).jsonl"
  }

  /// The full ones, oldest first, with the number of their first line.
  func full() throws(AuditError) -> [(path: String, first: UInt64)] {
    guard let listing = opendir(directory) else { throw .failure("list", directory) }
    defer { closedir(listing) }
    var found: [(path: String, first: UInt64)] = []
    while let entry = readdir(listing) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasPrefix("audit-"), name.hasSuffix(".jsonl"),
        let first = UInt64(name.dropFirst(6).dropLast(6))
      else { continue }
      found.append(("\(directory)/\(name)", first))
    }
    return found.sorted { $0.first < $1.first }
  }

  /// All of them that are there, in the order of their lines.
  func all() throws(AuditError) -> [String] {
    try full().map(\.path) + (access(current, F_OK) == 0 ? [current] : [])
  }

  /// Waits until no other process is writing or looking; the turn is over when the descriptor is closed.
  func takeTurn() throws(AuditError) -> Int32 {
    let lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard lock >= 0 else { throw .failure("open", self.lock) }
    while flock(lock, LOCK_EX) != 0 {
      guard errno == EINTR else {
        let error = AuditError.failure("lock", self.lock)
        close(lock)
        throw error
      }
    }
    return lock
  }

  func readHead() -> AuditHead? {
    (try? fileContent(head, bytesMax: 4096)).flatMap(AuditHead.init)
  }

  /// In one step.
  func write(_ head: AuditHead) throws(AuditError) {
    let temporary = "\(self.head).new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .failure("make", temporary) }
    defer { close(descriptor) }
    let bytes = head.bytes
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count,
      rename(temporary, self.head) == 0
    else { throw .failure("write", self.head) }
  }
}
