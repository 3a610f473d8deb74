internal import ArgumentParser
internal import CollectorClient
internal import StackmeterCore
internal import StackmeterWire

/// `stackmeter quarantine`.
struct QuarantineCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quarantine", abstract: "Show what was refused, and try it again or discard it.",
    discussion: """
      What the collector refuses is kept with its reason until it is redriven or discarded. To redrive an entry \
      is to report its event again as it was, after the cause is gone: a meter was added to the catalog, a clock \
      was set right. However often that is done, the event counts once.
      """,
    subcommands: [
      QuarantineListCommand.self, QuarantineShowCommand.self, QuarantineRedriveCommand.self,
      QuarantineDiscardCommand.self,
    ], defaultSubcommand: QuarantineListCommand.self)
}

/// Which entries: what list, redrive and discard have in common.
struct QuarantineFilterOptions: ParsableArguments {
  @Option(
    name: .customLong("reason"),
    help: ArgumentHelp(
      "Only what was refused for this reason: \(Refusal.Reason.names). May be repeated.",
      valueName: "name"))
  var reasons: [String] = []
  @Option(help: "Only what this resource provider reported.")
  var source: String?
  @Option(help: "Only usage of this subscription.")
  var subscription: String?
  @Option(
    help: "Only what was refused at or after this day or time: 2026-11-23 or 2026-11-23T15:00:00Z.")
  var from: String?
  @Option(help: "Only what was refused before this day or time.")
  var to: String?

  func validate() throws { _ = try filter() }

  var isEmpty: Bool {
    reasons.isEmpty && source == nil && subscription == nil && from == nil && to == nil
  }

  func filter() throws(ValidationError) -> QuarantineFilter {
    var known: Set<Refusal.Reason> = []
    for name in reasons {
      guard let reason = Refusal.Reason(name: name) else {
        throw ValidationError("--reason: \(name) is none of \(Refusal.Reason.names)")
      }
      known.insert(reason)
    }
    for (name, text) in [("--source", source), ("--subscription", subscription)] where text == "" {
      throw ValidationError("\(name): must not be empty; leave it out to mean all")
    }
    return QuarantineFilter(
      reasons: known, source: source, subscription: subscription,
      from: try time("--from", from), to: try time("--to", to))
  }

  private func time(_ name: String, _ text: String?) throws(ValidationError) -> Instant? {
    guard let text else { return nil }
    guard let instant = Instant(parsing: text) ?? Day(parsing: text)?.start else {
      throw ValidationError(
        "\(name): \(text) is no day or time such as 2026-11-23 or 2026-11-23T15:00:00Z")
    }
    return instant
  }
}

/// `stackmeter quarantine list`.
struct QuarantineListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List what was refused, oldest first.")

  @OptionGroup var options: SettingsOptions
  @OptionGroup var filter: QuarantineFilterOptions
  @Flag(help: "Also what was redriven or discarded, as long as it is there.")
  var all = false
  @Option(help: "At most so many entries.")
  var limit = 100
  @Option(help: "Only entries after this number.")
  var after: UInt64 = 0
  @Flag(help: "One JSON object on each line.")
  var json = false

  func validate() throws {
    guard limit > 0 else { throw ValidationError("--limit must be at least 1") }
  }

  func run() async throws {
    try await reportingFailure {
      let (filter, settings) = (try filter.filter(), try options.settings())
      let listing = try await withService("collector", of: settings) { channel in
        try await QuarantineListing(
          CollectorClient(channel), filter, includeResolved: all, after: after, countMax: limit)
      }
      StandardStream.output.write(
        bytes: json ? listing.jsonLines() : Array(listing.table(withState: all).utf8))
    }
  }
}

/// `stackmeter quarantine show`.
struct QuarantineShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show all of one entry.")

  @OptionGroup var options: SettingsOptions
  @Argument(help: "The entry's number, as list shows it.")
  var number: UInt64
  @Flag(help: "As a JSON object.")
  var json = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let entry = try await withService("collector", of: settings) { channel in
        try await CollectorClient(channel).quarantineEntry(number)
      }
      StandardStream.output.write(
        bytes: json ? QuarantineText(entry).json() : Array(QuarantineText(entry).text().utf8))
    }
  }
}
