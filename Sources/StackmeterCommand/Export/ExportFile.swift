internal import Crypto
internal import Glibc
internal import StackmeterCompression
internal import StackmeterCore
internal import StackmeterRuntime

/// The file of an export: it grows in `….part`, with a note beside it of where it goes on, and takes its name when it
/// is whole.
struct ExportFile: Sendable {
  /// How many parts may be made again where the power is cut.
  private static let partsUnsynced = 32

  let path: String
  let isCompressed: Bool

  /// Goes on with a file that was begun by the same question, or begins it.
  func open(_ question: [UInt8]) throws(CommandFailure) -> Output {
    let part = path + ".part"
    let name = hexadecimal(
      SHA256.hash(data: question + [isCompressed ? 1 : 0]).prefix(16))
    let descriptor = Glibc.open(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw ExportFile.failure("open", part) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw CommandFailure("another export writes \(part)", exitCode: EX_TEMPFAIL)
    }
    var output = Output(file: self, descriptor: descriptor, question: name)
    var status = stat()
    if let note = Note(path: part + ".json"), note.question == name,
      fstat(descriptor, &status) == 0,
      status.st_size >= note.bytes
    {
      output.note = note
    }
    guard ftruncate(descriptor, off_t(output.note.bytes)) == 0,
      lseek(descriptor, 0, SEEK_END) == output.note.bytes
    else { throw ExportFile.failure("truncate", part) }
    return output
  }

  /// Where a file goes on.
  struct Note: Equatable {
    var question: String
    var token = ""
    var bytes: Int64 = 0

    init(question: String) {
      self.question = question
    }

    /// Nil where there is none, or it is none.
    init?(path: String) {
      guard let bytes = try? fileContent(path, bytesMax: 4096),
        let value = try? JSONValue(parsing: bytes, limits: .event),
        let object = JSONObject(value, path: ""), let question = object["question"]?.string,
        let token = object["token"]?.string, !token.isEmpty,
        case .number(let count)? = object["bytes"], let count = Int64(count), count >= 0
      else { return nil }
      self.question = question
      self.token = token
      self.bytes = count
    }

    func text() -> [UInt8] {
      var writer = JSONWriter()
      writer.object { writer in
        writer.member("question", string: question)
        writer.member("token", string: token)
        writer.member("bytes", bytes)
      }
      return writer.bytes + [0x0A]
    }
  }

  /// A file that grows. Closed by `finish`, or with the process.
  struct Output {
    let file: ExportFile
    let descriptor: Int32
    fileprivate(set) var note: Note
    private var unsynced = 0

    fileprivate init(file: ExportFile, descriptor: Int32, question: String) {
      self.file = file
      self.descriptor = descriptor
      note = Note(question: question)
    }

    /// Of the part that comes next; empty for the first.
    var token: String { note.token }

    /// Writes a part. A compressed file has one member for each, so that it can go on behind any.
    mutating func append(_ data: [UInt8], next token: String) throws(CommandFailure) {
      let bytes = file.isCompressed && !data.isEmpty ? GzipEncoder.encode(data, .balanced) : data
      try ExportFile.write(bytes, descriptor, file.path + ".part")
      note.bytes += Int64(bytes.count)
      note.token = token
      unsynced += 1
      if unsynced >= ExportFile.partsUnsynced {
        guard fdatasync(descriptor) == 0 else {
          throw ExportFile.failure("sync", file.path + ".part")
        }
        unsynced = 0
      }
      guard unsynced == 0 || !token.isEmpty else { return }
      let path = file.path + ".part.json"
      let new = Glibc.open(path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
      guard new >= 0 else { throw ExportFile.failure("create", path) }
      defer { close(new) }
      try ExportFile.write(note.text(), new, path)
      guard rename(path + ".new", path) == 0 else { throw ExportFile.failure("replace", path) }
    }

    /// Gives the file its name.
    func finish() throws(CommandFailure) {
      guard fsync(descriptor) == 0, close(descriptor) == 0 else {
        throw ExportFile.failure("sync", file.path + ".part")
      }
      guard rename(file.path + ".part", file.path) == 0 else {
        throw ExportFile.failure("replace", file.path)
      }
      unlink(file.path + ".part.json")
      let slash = file.path.lastIndex(of: "/")
      try FileCopy.sync(
        slash.map { $0 == file.path.startIndex ? "/" : String(file.path[..<$0]) } ?? ".")
    }
  }

  private static func write(
    _ bytes: [UInt8], _ descriptor: Int32, _ path: String
  ) throws(CommandFailure) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw failure("write", path) }
      start += count
    }
  }

  private static func failure(_ operation: String, _ path: String) -> CommandFailure {
    CommandFailure(
      "cannot \(operation) \(path): \(String(cString: strerror(errno)))", exitCode: EX_IOERR)
  }
}
