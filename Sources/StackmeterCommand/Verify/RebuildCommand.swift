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
      it is run again. With --output of another file the services may run; without, the aggregator must not.
      """)

  @OptionGroup var options: SettingsOptions
  @Option(
    help: ArgumentHelp(
      "The file to make. That of the settings by default, which must not be there then.",
      valueName: "file"))
  var output: String?
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
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let output = output ?? settings.usageDatabase
      try Rebuild.requireFree(output)
      if output == settings.usageDatabase {
        try StateLock.take("\(settings.stateDirectory)/aggregator.lock")
      }
      let rebuild = try Rebuild(
        path: output, cell: settings.cell, catalog: try meterCatalog(settings.meterCatalog),
        old: try oldDatabase(settings), latenessLimitDays: settings.latenessLimitDays)
      let progress = PositionProgress("counted")
      let report = try rebuild.run(
        disk: FileDisk(), journalDirectory: journal ?? settings.journalDirectory,
        progress: progress.show)
      progress.finish()
      StandardStream.output.write(Self.text(report, output))
    }
  }

  private func oldDatabase(_ settings: Settings) throws -> (any UsageReader)? {
    if withoutOld { return nil }
    let path = old ?? settings.usageDatabase
    guard access(path, F_OK) == 0 else {
      throw CommandFailure(
        "\(path) is not there: name the old usage database by --old, or say --without-old to count "
          + "every meter as the catalog says now", exitCode: EX_NOINPUT)
    }
    return try SQLiteUsageReader(path: path)
  }

  static func text(_ report: Rebuild.Report, _ output: String) -> String {
    var lines = ["\(output) has all events before position \(report.position)"]
    if let old = report.oldPosition {
      lines.append("\(report.sameWindows) closed windows have the hashes of the old database")
      if old > report.position {
        lines.append(
          "the old database had those before position \(old): the aggregator counts them again")
      }
    }
    return lines.map { $0 + "\n" }.joined()
  }
}
