internal import GatewayServer
internal import Glibc
internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterRuntime
internal import StackmeterStore

/// One backup of a Stackmeter that may run meanwhile.
///
/// The bridge's outbox is copied first, then the usage database, then the journal, then the quarantine up to the first
/// resolution that speaks of a position the copied journal does not have. So the outbox never is ahead of the database,
/// nor that of the journal, and what was refused is in one of the two logs. It is written beside its name, read again,
/// and renamed. A usage database in PostgreSQL is left to PostgreSQL's own tools.
struct Backup {
  /// How often a log is looked at again that changed while it was copied.
  private static let attemptsMax = 10

  let settings: Settings
  /// The file of settings; nil where there is none.
  let settingsFile: String?
  /// Without a slash at its end.
  let target: String

  private var partial: String { "\(target).partial" }

  /// What was written.
  struct Outcome: Sendable {
    let content: BackupContent
    let fileCount: Int
    let byteCount: Int
  }

  func run(now: Instant) async throws -> Outcome {
    guard !FileCopy.exists(target) else {
      throw CommandFailure(
        "\(target) is there already; choose another directory", exitCode: EX_CANTCREAT)
    }
    guard FileCopy.exists(settings.stateDirectory) else {
      throw CommandFailure(
        "there is no state directory \(settings.stateDirectory)", exitCode: EX_NOINPUT)
    }
    try StateLock.take("\(settings.stateDirectory)/backup.lock")
    // What a backup that was killed has left.
    if FileCopy.exists(partial) { try FileCopy.removeTree(partial) }
    do {
      return try await write(now)
    } catch {
      // The first error is the one that tells.
      try? FileCopy.removeTree(partial)
      throw error
    }
  }

  private func write(_ now: Instant) async throws -> Outcome {
    try FileCopy.makeDirectory(partial, mode: 0o700)
    var files: [String: FileCopy.Content] = [:]
    var content = BackupContent(madeTime: now.description, cell: settings.cell)
    try copyOutbox(&files)
    if settings.storePostgreSQL.isEmpty {
      content.databasePosition = try copyDatabase(&files)
    } else {
      content.isDatabaseElsewhere = true
    }
    let journal = try await copyLog("journal", settings.journalDirectory, &files)
    content.journal = journal.map(BackupContent.Log.init)
    let end = journal?.nextPosition ?? 1
    content.quarantine = try await copyLog("quarantine", settings.quarantineDirectory, &files) {
      $0.resolvedEntries?.contains { entry in
        guard case .redriven(let position) = entry.outcome else { return false }
        return position >= end
      } ?? false
    }.map(BackupContent.Log.init)
    try await copyAudit(&files)
    try copySmallFiles(&files)
    try FileCopy.write(content.bytes(), to: "\(partial)/\(BackupContent.name)", mode: 0o600)
    files[BackupContent.name] = try FileCopy.content(of: "\(partial)/\(BackupContent.name)")
    try FileCopy.write(
      BackupContent.sums(files.mapValues(\.digest)), to: "\(partial)/\(BackupContent.sumsName)",
      mode: 0o600)
    for (name, copied) in files {
      guard try FileCopy.content(of: "\(partial)/\(name)") == copied else {
        throw CommandFailure(
          "\(partial)/\(name) is not what was written to it; the disk may be failing",
          exitCode: EX_IOERR)
      }
    }
    try BackupCheck(directory: partial, content: content).run()
    for name in ["journal", "quarantine", "audit", "bridge", "settings"]
    where FileCopy.exists("\(partial)/\(name)") {
      try FileCopy.sync("\(partial)/\(name)")
    }
    try FileCopy.sync(partial)
    try FileCopy.rename(partial, to: target)
    try FileCopy.sync(parent(of: target))
    return Outcome(
      content: content, fileCount: files.count,
      byteCount: files.values.reduce(0) { $0 + $1.byteCount })
  }

  /// How far the bridge has read, what waits and what was refused. The registration is left out, as it has a secret.
  private func copyOutbox(_ files: inout [String: FileCopy.Content]) throws {
    let name = BackupCheck.outbox
    let source = "\(settings.stateDirectory)/\(name)"
    guard FileCopy.exists(source) else { return }
    try FileCopy.makeDirectory("\(partial)/bridge", mode: 0o700)
    let path = "\(partial)/\(name)"
    try SQLite(source, .reader).copy(to: path)
    chmod(path, 0o600)
    try FileCopy.sync(path)
    files[name] = try FileCopy.content(of: path)
  }

  /// Gives the position that the copy is at; nil where there is no database yet.
  private func copyDatabase(_ files: inout [String: FileCopy.Content]) throws -> UInt64? {
    let name = BackupCheck.database
    guard FileCopy.exists(settings.usageDatabase) else { return nil }
    let path = "\(partial)/\(name)"
    do throws(StoreError) {
      try SQLiteUsageReader(path: settings.usageDatabase).copy(to: path)
    } catch {
      // The aggregator has not made its tables yet.
      guard error.kind == .missing else { throw error }
      return nil
    }
    chmod(path, 0o600)
    try FileCopy.sync(path)
    files[name] = try FileCopy.content(of: path)
    return try SQLiteUsageReader(path: path).position().nextPosition
  }

  private func copyLog(
    _ name: String, _ source: String, _ files: inout [String: FileCopy.Content],
    endingAt isEnd: ((Record) -> Bool)? = nil
  ) async throws -> LogSnapshot? {
    guard FileCopy.exists(source) else { return nil }
    try FileCopy.makeDirectory("\(partial)/\(name)", mode: 0o700)
    var attempt = 1
    while true {
      do {
        guard let snapshot = try LogSnapshot(FileDisk(), source, endingAt: isEnd) else {
          return nil
        }
        if try copy(snapshot, name, source, &files) { return snapshot }
      } catch let error as RecordLogError {
        // A segment that was sealed or cut between two looks at it. Damage is still there the next time.
        guard attempt < Backup.attemptsMax else { throw error }
      }
      guard attempt < Backup.attemptsMax else {
        throw CommandFailure(
          "the \(name) changed again and again while it was copied; try again",
          exitCode: EX_TEMPFAIL)
      }
      attempt += 1
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  /// False where a file has gone meanwhile. What is sealed is not copied a second time.
  private func copy(
    _ snapshot: LogSnapshot, _ name: String, _ source: String,
    _ files: inout [String: FileCopy.Content]
  ) throws -> Bool {
    let sealed = Set(snapshot.files.filter(\.isSealed).map { "\(name)/\($0.name)" })
    for known in files.keys where known.hasPrefix("\(name)/") && !sealed.contains(known) {
      files[known] = nil
      unlink("\(partial)/\(known)")
    }
    for file in snapshot.files where files["\(name)/\(file.name)"] == nil {
      let copied = try FileCopy.copy(
        "\(source)/\(file.name)", to: "\(partial)/\(name)/\(file.name)",
        byteCount: file.byteCount, paddedCount: file.paddedCount, mode: 0o600)
      guard let copied else { return false }
      files["\(name)/\(file.name)"] = copied
    }
    return true
  }

  /// The audit log, as far as it is written when it is looked at, and the head that belongs to it.
  private func copyAudit(_ files: inout [String: FileCopy.Content]) async throws {
    let source = settings.auditDirectory
    for _ in 0..<Backup.attemptsMax {
      guard let snapshot = try AuditSnapshot(directory: source) else { return }
      try FileCopy.makeDirectory("\(partial)/audit", mode: 0o700)
      var copied: [String: FileCopy.Content] = [:]
      for file in snapshot.files {
        copied["audit/\(file.name)"] = try FileCopy.copy(
          "\(source)/\(file.name)", to: "\(partial)/audit/\(file.name)",
          byteCount: file.byteCount, mode: 0o600)
      }
      if let head = snapshot.head {
        let name = "audit/\(AuditSnapshot.headName)"
        try FileCopy.write(head, to: "\(partial)/\(name)", mode: 0o600)
        copied[name] = try FileCopy.content(of: "\(partial)/\(name)")
      }
      if let now = try AuditSnapshot(directory: source), snapshot.isContained(in: now) {
        files.merge(copied) { _, new in new }
        return
      }
      // A file was full meanwhile, and has another name.
      try FileCopy.removeTree("\(partial)/audit")
    }
    throw CommandFailure(
      "the audit log changed again and again while it was copied; try again",
      exitCode: EX_TEMPFAIL)
  }

  /// Keys, counters and settings, as far as they are there.
  private func copySmallFiles(_ files: inout [String: FileCopy.Content]) throws {
    try FileCopy.makeDirectory("\(partial)/settings", mode: 0o700)
    var sources = BackupFiles.inState.map { ("\(settings.stateDirectory)/\($0)", $0) }
    sources += BackupFiles.ofSettings(settings).map { ($0.path, "settings/\($0.name)") }
    if let settingsFile { sources.append((settingsFile, "settings/stackmeter.json")) }
    for (source, name) in sources {
      if let copied = try FileCopy.copy(source, to: "\(partial)/\(name)", mode: 0o600) {
        files[name] = copied
      }
    }
  }

  private func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

/// The small files of a Stackmeter.
enum BackupFiles {
  /// In the state directory.
  static let inState = ["query.key", "agent.json"]

  /// What the settings name, and what a backup calls it.
  static func ofSettings(_ settings: Settings) -> [(name: String, path: String)] {
    [
      ("meters.json", settings.meterCatalog), ("keys.json", settings.apiKeys),
      ("agent.json", settings.agentMapping),
    ]
  }
}
