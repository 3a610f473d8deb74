internal import AggregatorServer
internal import ArgumentParser
internal import Glibc
internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterRuntime
internal import StackmeterStore

/// `stackmeter rebuild`.
struct RebuildCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rebuild", abstract: "Make the usage database anew from the journal.",
    discussion: """
      The new database has the same rows, numbers and hashes as the old one, whose rules it takes over. Nothing is \
      overwritten: give --output, or move the old database away and name it by --old. What is interrupted goes on when \
      it is run again. With --output of another file the services may run; without, the aggregator must not. Where \
      the usage database is in PostgreSQL, the new one is made in a --schema of its own while everything runs; then \
      stop the aggregator, rename the two schemas, and start it.
      """)

  @OptionGroup var options: SettingsOptions
  @Option(
    help: ArgumentHelp(
      "The file to make. That of the settings by default, which must not be there then.",
      valueName: "file"))
  var output: String?
  @Option(
    help: ArgumentHelp(
      "The schema to make in the database of store.postgresql, in place of a file.",
      valueName: "name"))
  var schema: String?
  @Option(
    help: ArgumentHelp(
      "The usage database whose rules are taken over. That of the settings by default.",
      valueName: "file"))
  var old: String?
  @Flag(help: "There is no old database: the catalog says how each meter is counted.")
  var withoutOld = false
  @Option(help: ArgumentHelp("Another journal than that of the settings.", valueName: "directory"))
  var journal: String?

  func validate() throws {
    if withoutOld && old != nil {
      throw ValidationError("--old and --without-old exclude each other")
    }
    if output != nil && schema != nil {
      throw ValidationError("--output and --schema exclude each other")
    }
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let place = try place(settings)
      if place == .file(settings.usageDatabase) {
        try StateLock.take("\(settings.stateDirectory)/aggregator.lock")
      }
      let rebuild = try Rebuild(
        place: place, cell: settings.cell, catalog: try meterCatalog(settings.meterCatalog),
        old: try oldDatabase(settings), latenessLimitDays: settings.latenessLimitDays)
      let progress = PositionProgress("counted")
      let report = try await LocalAudit.change(settings, "rebuild") {
        try rebuild.run(
          disk: FileDisk(), journalDirectory: journal ?? settings.journalDirectory,
          progress: progress.show)
      }
      progress.finish()
      StandardStream.output.write(Self.text(report, place))
    }
  }

  /// Where the new database is made, which nothing may have yet.
  private func place(_ settings: Settings) throws -> Rebuild.Place {
    let isPostgreSQL = !settings.storePostgreSQL.isEmpty
    if let schema {
      guard isPostgreSQL else {
        throw CommandFailure(
          "--schema: store.postgresql is not set, so the usage database is a file: say --output",
          exitCode: EX_USAGE)
      }
      return .schema(settings.storePostgreSQL, schema)
    }
    guard output != nil || !isPostgreSQL else {
      throw CommandFailure(
        "the usage database is in PostgreSQL: name a new schema of it by --schema, where the new one "
          + "is made beside the old one, or a file by --output", exitCode: EX_USAGE)
    }
    let path = output ?? settings.usageDatabase
    try Rebuild.requireFree(path)
    return .file(path)
  }

  private func oldDatabase(_ settings: Settings) throws -> (any UsageReader)? {
    if withoutOld { return nil }
    if old == nil, !settings.storePostgreSQL.isEmpty { return try settings.usageReader() }
    let path = old ?? settings.usageDatabase
    guard access(path, F_OK) == 0 else {
      throw CommandFailure(
        "\(path) is not there: name the old usage database by --old, or say --without-old to count "
          + "every meter as the catalog says now", exitCode: EX_NOINPUT)
    }
    return try SQLiteUsageReader(path: path)
  }

  static func text(_ report: Rebuild.Report, _ place: Rebuild.Place) -> String {
    let name =
      switch place {
      case .file(let path): path
      case .schema(_, let schema): "schema \(terminalText(schema))"
      }
    var lines = ["\(name) has all events before position \(report.position)"]
    if let old = report.oldPosition {
      lines.append("\(report.sameWindows) closed windows have the hashes of the old database")
      if old > report.position {
        lines.append(
          "the old database had those before position \(old): the aggregator counts them again")
      }
    }
    if case .schema = place {
      lines.append(
        "to use it: stop the aggregators, rename the schema of the old tables and give its name to "
          + "this one (ALTER SCHEMA … RENAME TO …), and start them; every cell of the database must be "
          + "rebuilt first")
    }
    return lines.map { $0 + "\n" }.joined()
  }
}
