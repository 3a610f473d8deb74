internal import ArgumentParser
internal import StackmeterRuntime

/// `stackmeter backup`.
struct BackupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Copy everything to a new directory, while it runs.",
    discussion: """
      Copies the usage database, the journal, the quarantine, the audit log, the bridge's outbox, keys and settings, \
      reads all of it again, and only then gives the directory its name. It takes as long as reading everything does; \
      nothing waits for it. A usage database in PostgreSQL is not in it: run pg_dump first, then this, so that the \
      journal has all that the dump was made from.
      """)

  @OptionGroup var options: SettingsOptions
  @Argument(help: "The directory to make. Its parent is there already, best on another disk.")
  var directory: String

  func run() async throws {
    try await reportingFailure {
      let backup = Backup(
        settings: try options.settings(),
        settingsFile: options.config ?? processEnvironment()["STACKMETER_CONFIG"],
        target: directory.withoutSlashes)
      let outcome = try await backup.run(now: SystemClock().now())
      let content = outcome.content
      var lines = ["\(directory): \(outcome.fileCount) files, \(outcome.byteCount) bytes, checked"]
      if let journal = content.journal {
        lines.append(
          "journal \(journal.id): from position \(journal.firstPosition) to "
            + "\(journal.nextPosition)")
      }
      lines.append(Self.database(content))
      StandardStream.output.write(lines.map { $0 + "\n" }.joined())
    }
  }
}

extension BackupCommand {
  /// What the backup has of the usage database, and what to do where that is nothing.
  static func database(_ content: BackupContent) -> String {
    if content.isDatabaseElsewhere {
      return
        "usage database: in PostgreSQL, and not in this backup; the dump to keep with it is one "
        + "that pg_dump began before this backup. Without one it is made anew from the journal"
    }
    return content.databasePosition.map { "usage database: counted up to position \($0)" }
      ?? "usage database: none in the state directory; it is made anew from the journal"
  }
}

/// `stackmeter restore`.
struct RestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Fill an empty state directory from a backup.",
    discussion: """
      Every byte is compared with its hash, and everything is read, before anything is put in place. Catalog, keys \
      and mapping are written where the settings name files that are not there. Then start the services: what the \
      usage database lacks is counted from the journal.
      """)

  @OptionGroup var options: SettingsOptions
  @Argument(help: "The directory that stackmeter backup has made.")
  var directory: String

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      try makeDirectories(settings.stateDirectory, mode: 0o750)
      let outcome = try Restore(settings: settings, source: directory.withoutSlashes).run()
      // Not before: the state directory had to be empty, and the log is one of the things that were restored.
      try await LocalAudit.change(settings, "restore") {}
      let lines =
        ["\(settings.stateDirectory): restored as of \(outcome.content.madeTime)"]
        + outcome.remarks
      StandardStream.output.write(lines.map { terminalText($0) + "\n" }.joined())
    }
  }
}

extension String {
  /// A path without slashes at its end.
  fileprivate var withoutSlashes: String {
    var path = self[...]
    while path.count > 1, path.last == "/" { path.removeLast() }
    return String(path)
  }
}
