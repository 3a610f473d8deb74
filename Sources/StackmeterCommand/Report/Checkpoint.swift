internal import Glibc
internal import StackmeterCore
internal import StackmeterRuntime

/// Where a report of one file goes on, kept in a small JSON file.
///
/// It has a hash of the bytes just before that place, so that another file is not mistaken for the one that
/// it was made for.
struct Checkpoint: Equatable {
  static let hashedBytesMax = 4096

  let position: ReportLedger.Position
  let hash: UInt64

  /// For a place in the file that is open as `descriptor`.
  init(position: ReportLedger.Position, descriptor: Int32) throws(CommandFailure) {
    self.position = position
    hash = try Checkpoint.hash(before: position.offset, descriptor: descriptor)
  }

  /// Nil where there is no file yet.
  init?(path: String) throws(CommandFailure) {
    guard access(path, F_OK) == 0 else { return nil }
    let bytes: [UInt8]
    do {
      bytes = try fileContent(path, bytesMax: 4096)
    } catch {
      throw CommandFailure("the checkpoint: \(error)", exitCode: EX_NOINPUT)
    }
    guard let value = try? JSONValue(parsing: bytes, limits: .event),
      let object = JSONObject(value, path: ""),
      case .number(let offset)? = object["offset"], let offset = Int(offset), offset >= 0,
      case .number(let lines)? = object["lines"], let lines = Int(lines), lines >= 0,
      let hash = object["hash"]?.string.flatMap({ UInt64($0, radix: 16) })
    else {
      throw CommandFailure(
        "\(path) is not a checkpoint; remove it to start from the file's beginning",
        exitCode: EX_DATAERR)
    }
    position = ReportLedger.Position(offset: offset, lines: lines)
    self.hash = hash
  }

  /// Throws where the file is not the one that the checkpoint was made for.
  func requireMatch(_ path: String, descriptor: Int32) throws(CommandFailure) {
    guard try Checkpoint.hash(before: position.offset, descriptor: descriptor) == hash else {
      throw CommandFailure(
        "\(path) is not the file that the checkpoint was made for; remove the checkpoint to start "
          + "from the file's beginning, which counts nothing twice", exitCode: EX_DATAERR)
    }
  }

  /// Replaces the file at once, so that it is the old or the new checkpoint and never half of one.
  func write(_ path: String) throws(CommandFailure) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("offset", position.offset)
      writer.member("lines", position.lines)
      writer.member("hash", string: String(hash, radix: 16))
    }
    let bytes = writer.bytes + [UInt8(ascii: "\n")]
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Checkpoint.failure(temporary) }
    let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let isWhole = count == bytes.count && fsync(descriptor) == 0
    close(descriptor)
    guard isWhole, rename(temporary, path) == 0 else { throw Checkpoint.failure(path) }
  }

  /// FNV-1a of the bytes before `offset`; of nothing where the file is shorter.
  private static func hash(
    before offset: Int, descriptor: Int32
  ) throws(CommandFailure) -> UInt64 {
    let count = min(offset, hashedBytesMax)
    var bytes = [UInt8](repeating: 0, count: count)
    let read = bytes.withUnsafeMutableBytes {
      pread(descriptor, $0.baseAddress, $0.count, off_t(offset - count))
    }
    guard read >= 0 else { throw failure("the reported file") }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes[..<read] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return hash
  }

  private static func failure(_ path: String) -> CommandFailure {
    CommandFailure("\(path): \(String(cString: strerror(errno)))", exitCode: EX_IOERR)
  }
}
