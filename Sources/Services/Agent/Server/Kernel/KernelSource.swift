/// What the agent asks of the kernel. A protocol, so that tests feed fixtures.
///
/// Nil always means that the kernel says there is no such thing (any more), or that this process may not see
/// it; a thrown error means that the reading failed and nothing may be concluded from it.
package protocol KernelSource: Sendable {
  /// The whole text of one small file.
  func contents(of path: String) throws(KernelError) -> [UInt8]?
  /// The names of the directories in a directory.
  func directories(of path: String) throws(KernelError) -> [String]?
  /// A number that no other directory at this path had, as long as the host runs.
  func identity(of path: String) throws(KernelError) -> UInt64?
  /// The bytes in use of the filesystem that is mounted at `path`.
  func usedBytes(ofFilesystemAt path: String) throws(KernelError) -> Int64?
  /// The number of the device that holds `path`, as `major:minor`.
  func device(of path: String) throws(KernelError) -> String?
  /// The allocated bytes of the tree at `path`, on its own filesystem, without the trees at `excluded`.
  func allocatedBytes(below path: String, excluding excluded: Set<String>) throws(KernelError)
    -> Int64?
  /// A user's login name.
  func userName(_ id: UInt32) -> String?
  /// How many of the kernel's clock ticks make a second.
  var ticksPerSecond: Int64 { get }
  /// Bytes of a page of memory.
  var pageBytes: Int64 { get }
}

/// A reading that failed.
package struct KernelError: Error, Equatable, CustomStringConvertible {
  package let path: String
  package let problem: String

  package init(path: String, problem: String) {
    self.path = path
    self.problem = problem
  }

  package var description: String { "\(path): \(problem)" }
}

extension KernelSource {
  /// The file's text without the line's end.
  func line(of path: String) throws(KernelError) -> String? {
    guard let bytes = try contents(of: path) else { return nil }
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  /// The file's number. A file that holds something else is an error.
  func number(of path: String) throws(KernelError) -> Int64? {
    guard let line = try line(of: path) else { return nil }
    guard let number = Int64(line) else { throw KernelError(path: path, problem: "not a number") }
    return number
  }
}
