internal import Glibc
internal import StackmeterRuntime
internal import StackmeterStore

/// Puts a backup into an empty state directory. Nothing is put in place before every byte was compared with its hash
/// and the content was read.
struct Restore {
  /// What an empty state directory may have: locks, and what supervisors and editors of the disk leave.
  private static let ignored: Set<String> = [
    "collector.lock", "aggregator.lock", "backup.lock", "audit", "log", "lost+found",
  ]
  private static let workName = "restore.new"

  let settings: Settings
  let source: String

  private var work: String { "\(settings.stateDirectory)/\(Restore.workName)" }

  /// What was restored, and sentences about what was not.
  struct Outcome: Sendable {
    let content: BackupContent
    let remarks: [String]
  }

  func run() throws -> Outcome {
    let sums = try checkedSums()
    let content = try BackupContent(directory: source)
    guard content.cell == settings.cell else {
      throw CommandFailure(
        "the backup is of cell \"\(content.cell)\", and this is cell \"\(settings.cell)\": "
          + "set cell in the settings", exitCode: EX_CONFIG)
    }
    // No service runs on the directory, nor starts, while it is filled.
    for service in ["collector", "aggregator"] {
      try StateLock.take("\(settings.stateDirectory)/\(service).lock")
    }
    let found = try FileCopy.names(settings.stateDirectory).filter { !Restore.ignored.contains($0) }
    guard found.allSatisfy({ $0 == Restore.workName }) else {
      let names = found.filter { $0 != Restore.workName }.prefix(5).joined(separator: ", ")
      throw CommandFailure(
        "the state directory \(settings.stateDirectory) is not empty (\(names)): "
          + "restore into an empty one, and move the old one away", exitCode: EX_CANTCREAT)
    }
    let database = try databaseRemark(content)
    if FileCopy.exists(work) { try FileCopy.removeTree(work) }
    do {
      try fill(sums, content)
    } catch {
      // The first error is the one that tells.
      try? FileCopy.removeTree(work)
      throw error
    }
    var remarks = try putSettings(sums) + (database.map { [$0] } ?? [])
    if FileCopy.exists("\(work)/audit"), FileCopy.exists(settings.auditDirectory) {
      remarks.append(
        "\(settings.auditDirectory) is there already, and was left as it is: the backup has a log of its own"
      )
    }
    try putInPlace()
    return Outcome(content: content, remarks: remarks)
  }

  /// What is to be known of a usage database in PostgreSQL. Throws where it has counted more of the journal than the
  /// backup has: what is reported from now on would stand at positions that it believes to have.
  private func databaseRemark(_ content: BackupContent) throws -> String? {
    guard !settings.storePostgreSQL.isEmpty else {
      return content.isDatabaseElsewhere
        ? "the usage database was in PostgreSQL, but store.postgresql is not set: a new file is made "
          + "from the journal" : nil
    }
    let position: PipelinePosition
    do throws(StoreError) {
      position = try settings.usageReader().position()
    } catch {
      guard error.kind == .missing else {
        return
          "the usage database in PostgreSQL was not looked at (\(error.message)): it must not have "
          + "counted more than position \(content.journal?.nextPosition ?? 1), where the journal ends"
      }
      return
        "PostgreSQL has no usage of cell \"\(settings.cell)\": all of it is counted from the journal"
    }
    let end = content.journal?.nextPosition ?? 1
    guard position.journalID == 0 || position.nextPosition <= end else {
      throw CommandFailure(
        "the usage database in PostgreSQL is at position \(position.nextPosition), but the journal of "
          + "this backup ends at \(end): restore a dump of PostgreSQL that was begun before the backup, "
          + "or name an empty database in store.postgresql, into which the journal is counted anew",
        exitCode: EX_DATAERR)
    }
    return
      "the usage database in PostgreSQL is at position \(position.nextPosition); the rest is counted "
      + "from the journal"
  }

  /// The hashes, once the backup has just the files that they are of.
  private func checkedSums() throws -> [String: String] {
    guard FileCopy.exists("\(source)/\(BackupContent.sumsName)") else {
      throw CommandFailure(
        "\(source) is no backup: it has no \(BackupContent.sumsName)", exitCode: EX_NOINPUT)
    }
    let sums = try BackupContent.sums(of: source)
    let files = Set(try FileCopy.tree(source)).subtracting([BackupContent.sumsName])
    if let missing = Set(sums.keys).subtracting(files).min() {
      throw damaged(missing, "it is missing")
    }
    if let unknown = files.subtracting(sums.keys).min() {
      throw damaged(unknown, "it is not in \(BackupContent.sumsName)")
    }
    for (name, digest) in sums.sorted(by: { $0.key < $1.key }) {
      guard try FileCopy.content(of: "\(source)/\(name)").digest == digest else {
        throw damaged(name, "its SHA-256 is not the one in \(BackupContent.sumsName)")
      }
    }
    return sums
  }

  private func damaged(_ name: String, _ problem: String) -> CommandFailure {
    CommandFailure(
      "\(source)/\(name) is damaged: \(problem); nothing was restored, use another backup",
      exitCode: EX_DATAERR)
  }

  private func isState(_ name: String) -> Bool {
    name != BackupContent.name && !name.hasPrefix("settings/")
  }

  /// Copies what belongs into the state directory, and reads it.
  private func fill(_ sums: [String: String], _ content: BackupContent) throws {
    try FileCopy.makeDirectory(work, mode: 0o750)
    for (name, digest) in sums.sorted(by: { $0.key < $1.key }) where isState(name) {
      if let slash = name.lastIndex(of: "/") {
        let directory = "\(work)/\(name[..<slash])"
        if !FileCopy.exists(directory) { try FileCopy.makeDirectory(directory, mode: 0o750) }
      }
      let copied = try FileCopy.copy(
        "\(source)/\(name)", to: "\(work)/\(name)", mode: name == "query.key" ? 0o600 : 0o640)
      guard copied?.digest == digest else { throw damaged(name, "it has changed a moment ago") }
    }
    try BackupCheck(directory: work, content: content).run()
    for name in try FileCopy.names(work) { try FileCopy.sync("\(work)/\(name)") }
    try FileCopy.sync(work)
  }

  /// Writes the files that the settings name where there are none.
  private func putSettings(_ sums: [String: String]) throws -> [String] {
    var remarks: [String] = []
    for (name, path) in BackupFiles.ofSettings(settings) {
      guard let digest = sums["settings/\(name)"] else { continue }
      if FileCopy.exists(path) {
        if try FileCopy.content(of: path).digest != digest {
          remarks.append("\(path) is not the one of the backup, and was left as it is")
        }
        continue
      }
      _ = try FileCopy.copy(
        "\(source)/settings/\(name)", to: path, mode: name == "keys.json" ? 0o600 : 0o640)
    }
    return remarks
  }

  /// The journal comes last: a collector that is started where this was interrupted makes another one, which the
  /// aggregator refuses to count into the database.
  private func putInPlace() throws {
    var order = [
      "query.key", "agent.json", "quarantine", "bridge", BackupCheck.database, "journal",
    ]
    if !FileCopy.exists(settings.auditDirectory) { order.insert("audit", at: 0) }
    for name in order where FileCopy.exists("\(work)/\(name)") {
      try FileCopy.rename("\(work)/\(name)", to: "\(settings.stateDirectory)/\(name)")
      try FileCopy.sync(settings.stateDirectory)
    }
    try FileCopy.removeTree(work)
  }
}
