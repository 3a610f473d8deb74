internal import Glibc

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
  /// Says that the file is read soon, and whole: the disk may begin to.
  func expectReading(_ path: String)
  /// Bytes that this process may still write on the disk of `path`.
  func freeBytes(_ path: String) throws(DiskError) -> UInt64
}

extension Disk {
  package func expectReading(_ path: String) {}

  /// A new, empty file in place of one that an earlier attempt may have left.
  package func createFresh(_ path: String) throws(DiskError) -> any DiskFile {
    do {
      return try create(path)
    } catch {
      guard error.errno == EEXIST else { throw error }
      try remove(path)
      return try create(path)
    }
  }
}

/// A file that is open for writing.
package protocol DiskFile: AnyObject {
  /// Makes the file `size` bytes long with all of them allocated, so that no write below `size` can run out of
  /// space; what was never written reads as zeros. False where the file system cannot do this; the file is as
  /// it was then. After an error it may be of any size.
  func allocate(_ size: Int) throws(DiskError) -> Bool
  /// Writes all of it at `offset`. After an error the content past the last sync is unknown.
  func write(_ bytes: [UInt8], at offset: Int) throws(DiskError)
  /// Cuts the file to `size` bytes.
  func truncate(_ size: Int) throws(DiskError)
  /// Returns once all that was written is durable. After an error nothing may be assumed, not even by
  /// another sync that succeeds.
  func sync() throws(DiskError)
  /// Says that nobody reads the file soon. What is durable of it need not stay in memory, where it would take the
  /// place of what is read: a host without free memory at hand copies each new page several times as slowly as one
  /// that it had before.
  func rest()
  func close()
}

extension DiskFile {
  package func rest() {}
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

  /// The disk, the quota or the limit of a file's size has no room.
  package var isNoSpace: Bool { errno == ENOSPC || errno == EDQUOT || errno == EFBIG }
  package var isMissing: Bool { errno == ENOENT }
}
