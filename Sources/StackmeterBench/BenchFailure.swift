internal import Glibc

/// Why a run is worth nothing: a wrong answer, a process that ended, something that is not installed.
package struct BenchFailure: Error, Equatable, CustomStringConvertible {
  /// Names the thing and what to do. Lower case, without a full stop.
  package let description: String

  package init(_ description: String) {
    self.description = description
  }

  /// A system call failed.
  init(_ operation: String, _ path: String, errno code: Int32) {
    self.init("cannot \(operation) \(path): \(String(cString: strerror(code)))")
  }
}
