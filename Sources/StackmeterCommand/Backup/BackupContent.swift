internal import Glibc
internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterRuntime
internal import StackmeterStore

/// What a backup is of: `backup.json`. The hashes of all files are in `SHA256SUMS`, as `sha256sum -c` takes them.
struct BackupContent: Equatable, Sendable {
  /// The layout of a backup that this program writes and reads.
  static let format: Int64 = 1
  static let name = "backup.json"
  static let sumsName = "SHA256SUMS"
  private static let bytesMax = 64 << 20

  /// Of the journal or the quarantine.
  struct Log: Equatable, Sendable {
    let id: String
    let firstPosition: UInt64
    let nextPosition: UInt64

    init(_ snapshot: LogSnapshot) {
      id = snapshot.id.description
      firstPosition = snapshot.firstPosition
      nextPosition = snapshot.nextPosition
    }

    init?(_ object: JSONObject?) {
      guard let object, case .string(let id)? = object["id"],
        let first = object.number("firstPosition"), let next = object.number("nextPosition")
      else { return nil }
      self.id = id
      firstPosition = first
      nextPosition = next
    }

    func write(_ writer: inout JSONWriter) {
      writer.member("id", string: id)
      writer.member("firstPosition", firstPosition)
      writer.member("nextPosition", nextPosition)
    }
  }

  var madeTime: String
  var cell: String
  var journal: Log?
  var quarantine: Log?
  /// The first journal position that is not in the usage database; nil where the database is not in the backup.
  var databasePosition: UInt64?
  /// The usage database was in PostgreSQL, which has backups of its own.
  var isDatabaseElsewhere = false

  func bytes() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("format", BackupContent.format)
      writer.member("madeTime", string: madeTime)
      writer.member("cell", string: cell)
      if let journal { writer.member("journal", object: journal.write) }
      if let quarantine { writer.member("quarantine", object: quarantine.write) }
      if let databasePosition {
        writer.member(
          "database", object: { writer in writer.member("nextPosition", databasePosition) })
      } else if isDatabaseElsewhere {
        writer.member(
          "database", object: { writer in writer.member("store", string: "postgresql") })
      }
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  /// Of the backup in `directory`.
  init(directory: String) throws {
    let path = "\(directory)/\(BackupContent.name)"
    let value = try JSONValue(
      parsing: try fileContent(path, bytesMax: BackupContent.bytesMax), limits: .configuration)
    guard let object = JSONObject(value, path: ""), let format = object.number("format") else {
      throw CommandFailure("\(path) says nothing about a backup", exitCode: EX_DATAERR)
    }
    guard format == UInt64(BackupContent.format) else {
      throw CommandFailure(
        "\(path) has format \(format), but this program knows \(BackupContent.format); "
          + "run the program that made it", exitCode: EX_DATAERR)
    }
    guard case .string(let madeTime)? = object["madeTime"], case .string(let cell)? = object["cell"]
    else { throw CommandFailure("\(path) is not whole", exitCode: EX_DATAERR) }
    self.madeTime = madeTime
    self.cell = cell
    journal = Log(object["journal"].flatMap { JSONObject($0, path: "") })
    quarantine = Log(object["quarantine"].flatMap { JSONObject($0, path: "") })
    let database = object["database"].flatMap { JSONObject($0, path: "") }
    databasePosition = database?.number("nextPosition")
    isDatabaseElsewhere = database?["store"] == .string("postgresql")
  }

  init(madeTime: String, cell: String) {
    self.madeTime = madeTime
    self.cell = cell
  }

  /// The lines of `SHA256SUMS`.
  static func sums(_ digests: [String: String]) -> [UInt8] {
    Array(
      digests.sorted { $0.key < $1.key }.map { "\($0.value)  \($0.key)\n" }.joined().utf8)
  }

  /// The digest of each file, by its path in the backup.
  static func sums(of directory: String) throws -> [String: String] {
    let path = "\(directory)/\(sumsName)"
    var digests: [String: String] = [:]
    let text = String(decoding: try fileContent(path, bytesMax: bytesMax), as: UTF8.self)
    for line in text.split(separator: "\n") {
      let digest = line.prefix(64)
      let file = line.dropFirst(66)
      let isHexadecimal = digest.utf8.allSatisfy {
        ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102)
      }
      guard digest.utf8.count == 64, isHexadecimal, line.dropFirst(64).hasPrefix("  "),
        !file.isEmpty, !file.hasPrefix("/"), !file.split(separator: "/").contains(".."),
        digests.updateValue(String(digest), forKey: String(file)) == nil
      else {
        throw CommandFailure("\(path) is damaged: \"\(line)\"", exitCode: EX_DATAERR)
      }
    }
    return digests
  }
}

extension JSONObject {
  /// A whole number that is not negative; nil where there is none.
  fileprivate func number(_ name: String) -> UInt64? {
    guard case .number(let text)? = self[name] else { return nil }
    return UInt64(text)
  }
}
