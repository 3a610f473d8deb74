internal import ArgumentParser
internal import StackmeterAudit
internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterRuntime
internal import StackmeterStore

/// `stackmeter restate`.
struct RestateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restate",
    abstract: "Show what would change if the catalog's aggregations came into force.",
    discussion: """
      A meter that has usage is counted as it was from the beginning, whatever the catalog says. This counts what the \
      journal still has in both ways, and shows the differences by meter. It changes nothing; nothing can be restated \
      by this version, so --dry-run is needed. Run it as the user of the services.
      """)

  @OptionGroup var options: SettingsOptions
  @Flag(help: "Only show what would change.")
  var dryRun = false

  func validate() throws {
    guard dryRun else {
      throw ValidationError(
        "usage cannot be restated by this version; --dry-run shows what would change")
    }
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let catalog = try meterCatalog(settings.meterCatalog)
      let reader = try settings.usageReader()
      var inForce: [ExactText: Aggregation] = [:]
      for rule in try reader.rules() { inForce[ExactText(rule.meter)] = rule.aggregation }
      let changes = catalog.meters.compactMap { meter in
        inForce[ExactText(meter.id)].flatMap { known in
          known == meter.aggregation ? nil : (meter: meter.id, from: known, to: meter.aggregation)
        }
      }
      guard !changes.isEmpty else {
        StandardStream.output.write("every meter with usage is counted as the catalog says\n")
        return
      }
      let progress = PositionProgress("read")
      var preview = RestatePreview(changes, latenessLimitDays: settings.latenessLimitDays)
      let meters = try preview.run(
        disk: FileDisk(), journalDirectory: settings.journalDirectory,
        upTo: try reader.position().nextPosition, progress: progress.show)
      progress.finish()
      StandardStream.output.write(meters.map { Self.text($0) }.joined())
    }
  }

  static func text(_ meter: RestatedMeter) -> String {
    func total(_ attos: Int128?) -> String {
      attos.flatMap { Quantity(attos: $0) }?.description ?? "too large to show"
    }
    return
      "\(terminalText(meter.meter)): \(meter.from.rawValue) would become \(meter.to.rawValue): "
      + "\(meter.hours) of \(meter.hoursLookedAt) usage hours of \(meter.series) series would change; "
      + "their total, now \(total(meter.before)), would be \(total(meter.after))\n"
  }
}
