internal import Foundation
internal import Glibc

/// Runs `body` with a new, empty directory and removes it with all that is in it afterwards, also on failure.
///
/// The path is short (`/tmp/sm-XXXXXX`), because that of a Unix socket has at most 107 bytes.
package func withTemporaryDirectory<Result>(
  _ body: (String) async throws -> Result
) async throws -> Result {
  let directory = try TemporaryDirectory()
  return try await body(directory.path)
}

/// A directory that lives as long as this value.
package struct TemporaryDirectory: ~Copyable {
  package let path: String

  package init() throws(TemporaryDirectoryError) {
    var template = "/tmp/sm-XXXXXX".utf8CString
    let made = template.withUnsafeMutableBufferPointer { buffer in
      mkdtemp(buffer.baseAddress!).map { String(cString: $0) }
    }
    guard let made else { throw TemporaryDirectoryError(code: errno) }
    path = made
  }

  deinit {
    // What cannot be removed stays below /tmp for the host to clear; the test's outcome is not changed by it.
    try? FileManager.default.removeItem(atPath: path)
  }
}

package struct TemporaryDirectoryError: Error, CustomStringConvertible {
  /// The error number of `mkdtemp`.
  package let code: Int32

  package var description: String {
    "no temporary directory could be made below /tmp: \(String(cString: strerror(code)))"
  }
}
