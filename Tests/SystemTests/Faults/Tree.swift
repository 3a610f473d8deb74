import Glibc
import StackmeterRuntime
import StackmeterTesting

/// The files below a directory, as they were when this was made.
struct Tree {
  private let root: String
  private let damaged: [[String]]
  private let files: [String: [UInt8]]
  /// How far the files to damage are more than zeros.
  private let used: [String: Int]

  /// All files below `root`; those in its directories `below` are the ones to damage.
  init(_ root: String, below: [String]) throws {
    self.root = root
    let names = try Tree.list(root)
    files = try Dictionary(
      uniqueKeysWithValues: names.map { ($0, try fileContent("\(root)/\($0)", bytesMax: 1 << 30)) })
    damaged = below.map { directory in names.filter { $0.hasPrefix("\(directory)/") }.sorted() }
    used = Dictionary(
      uniqueKeysWithValues: damaged.joined().map { [files] name in
        (name, (files[name]!.lastIndex { $0 != 0 } ?? 0) + 1)
      })
    guard damaged.allSatisfy({ !$0.isEmpty }) else {
      throw ClusterError("one of \(below) has no files")
    }
  }

  /// Any byte of any file of the first directory alike, but half of the time near the end of one, where the newest
  /// is; and one in four of the other directories.
  func place(_ random: inout SeededRandom) -> (file: String, offset: Int) {
    let isFirst = Int.random(in: 0..<4, using: &random) > 0
    let damaged = isFirst ? damaged[0] : damaged.dropFirst().randomElement(using: &random)!
    let sizes = damaged.map { files[$0]!.count }
    var offset = Int.random(in: 0..<sizes.reduce(0, +), using: &random)
    for (name, size) in zip(damaged, sizes) {
      if offset < size {
        let used = used[name]!
        return Bool.random(using: &random)
          ? (name, offset)
          : (name, max(0, used - 1 - Int.random(in: 0..<min(used, 4096), using: &random)))
      }
      offset -= size
    }
    preconditionFailure("the offset lies in one of the files")
  }

  /// Writes one byte of one file: as it was, but for the bits of `mask`.
  func flip(_ file: String, _ offset: Int, _ mask: UInt8) throws {
    let descriptor = open("\(root)/\(file)", O_WRONLY | O_CLOEXEC)
    defer { close(descriptor) }
    var byte = files[file]![offset] ^ mask
    guard pwrite(descriptor, &byte, 1, off_t(offset)) == 1 else {
      throw ClusterError("cannot change \(file): \(errno)")
    }
  }

  func restore() throws {
    for name in try Tree.list(root) where files[name] == nil { unlink("\(root)/\(name)") }
    for (name, content) in files { try content.write(to: "\(root)/\(name)") }
  }

  /// The paths of the files below a directory, relative to it.
  private static func list(_ root: String, _ prefix: String = "") throws -> [String] {
    guard let stream = opendir("\(root)/\(prefix)") else {
      throw ClusterError("cannot list \(root)/\(prefix): \(errno)")
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      if entry.pointee.d_type == UInt8(DT_DIR) {
        names += try list(root, "\(prefix)\(name)/")
      } else {
        names.append(prefix + name)
      }
    }
    return names
  }

  /// Whether the collector whose state directory this is has sealed a segment, and has written a file of the dedup
  /// index.
  static func hasBeenKept(_ root: String) throws -> Bool {
    let names = try list(root)
    return names.contains { $0.hasPrefix("journal/") && $0.hasSuffix(".sealed") }
      && names.contains { $0.hasPrefix("dedup/") && $0.hasSuffix(".entries") }
  }
}
