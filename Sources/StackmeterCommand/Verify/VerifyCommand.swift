internal import ArgumentParser
internal import StackmeterAudit
internal import StackmeterJournal
internal import StackmeterRuntime
internal import StackmeterStore

/// `stackmeter verify`.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Recount the journal and compare the usage database with it.",
    discussion: """
      Counts the journal's files with an implementation of its own, apart from the aggregator's, and compares every \
      closed window, its hash, every series and the open window. It only reads, and the services may run. Run it as \
      the user that runs them. Exits with 1 where something differs.
      """)

  @OptionGroup var options: SettingsOptions
  @Option(
    help: ArgumentHelp(
      "Another usage database than that of the settings: a file of SQLite.", valueName: "file"))
  var database: String?
  @Option(help: ArgumentHelp("Another journal than that of the settings.", valueName: "directory"))
  var journal: String?

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let progress = PositionProgress("verified")
      var verification = try Verification(
        reader: try settings.usageReader(file: database), disk: FileDisk(),
        journalDirectory: journal ?? settings.journalDirectory,
        latenessLimitDays: settings.latenessLimitDays, progress: progress.show)
      let report = try verification.run()
      progress.finish()
      StandardStream.output.write(Self.text(report))
      if !report.isGood { throw ExitCode(1) }
    }
  }

  static func text(_ report: VerificationReport) -> String {
    var lines = [
      "\(report.events) events at positions \(report.positions.lowerBound) to "
        + "\(report.positions.upperBound - 1), \(report.series) series, \(report.rows) aggregates, "
        + "\(report.windows) closed windows, \(report.hashes) hashes made anew"
    ]
    if report.positions.lowerBound > 1 {
      lines.append(
        "the journal begins at position \(report.positions.lowerBound): \(report.skippedWindows) "
          + "closed windows before that cannot be compared")
    }
    if report.removedWindows > 0 {
      lines.append(
        "\(report.removedWindows) closed windows are no longer kept; of these the hashes were "
          + "compared")
    }
    if report.incomparableRows > 0 {
      lines.append(
        "\(report.incomparableRows) aggregates could not be compared: the journal no longer has, or "
          + "the table unapplied has, some of what makes them")
    }
    lines += report.differences.map { "DIFFERENT: \(terminalText($0))" }
    let untold = report.differenceCount - UInt64(report.differences.count)
    if untold > 0 { lines.append("… and \(untold) other differences") }
    lines.append(
      report.isGood
        ? "the usage database is what the journal makes"
        : "\(report.differenceCount) differences: the usage database is not what the journal makes; "
          + "see stackmeter rebuild")
    return lines.map { $0 + "\n" }.joined()
  }
}

extension Settings {
  /// Opens the usage database to read: a file of SQLite, that of the settings where `file` is nil, in whichever store
  /// it is.
  func usageReader(file: String? = nil) throws(StoreError) -> any UsageReader {
    if let file { return try SQLiteUsageReader(path: file) }
    return try UsageDatabase(postgresql: storePostgreSQL, path: usageDatabase, cell: cell).reader()
  }
}
