/// The files that a log lives in. Injected, so that tests lose, tear and refuse what a real disk may.
package protocol Disk: Sendable {
  /// Makes a directory of mode 0750 where there is none.
  func makeDirectory(_ path: String) throws(DiskError)
  /// The names in a directory, in no order.
  func list(_ directory: String) throws(DiskError) -> [String]
  func size(_ path: String) throws(DiskError) -> Int
  /// At most `count` bytes from `offset`; fewer only at the end of the file.
  func read(_ path: String, from offset: Int, count: Int) throws(DiskError) -> [UInt8]
  /// A new, empty file of mode 0640. Fails where one exists.
  func create(_ path: String) throws(DiskError) -> any DiskFile
  /// Replaces what is at `target`. Durable once the directory is synced.
  func rename(_ source: String, to target: String) throws(DiskError)
  func remove(_ path: String) throws(DiskError)
  /// Makes the names in the directory durable.
  func syncDirectory(_ path: String) throws(DiskError)
  /// Bytes that this process may still write on the disk of `path`.
  func freeBytes(_ path: String) throws(DiskError) -> UInt64
}

/// A file that only grows.
package protocol DiskFile: AnyObject {
  /// Writes all of it at the end. After an error the content past the last sync is unknown.
  func append(_ bytes: [UInt8]) throws(DiskError)
  /// Returns once all that was appended is durable. After an error nothing may be assumed, not even by
  /// another sync that succeeds.
  func sync() throws(DiskError)
  func close()
}

/// What the system refused.
package struct DiskError: Error, Equatable, CustomStringConvertible {
  package let operation: String
  package let path: String
  package let errno: Int32

  package init(operation: String, path: String, errno: Int32) {
    self.operation = operation
    self.path = path
    self.errno = errno
  }

  package var description: String { "cannot \(operation) \(path): \(errorText(errno))" }
}
