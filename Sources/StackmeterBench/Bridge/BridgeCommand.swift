internal import ArgumentParser

/// `stackmeter-bench bridge`.
struct BridgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bridge",
    abstract: "Have the bridge collect a backlog of closed windows, and send it.",
    discussion: """
      Build with -c release. The commerce service is in this program, at a real socket; it unpacks every batch, and \
      knows each record. Exits with 1 where not every record has arrived once, or the sum is another.
      """)

  @OptionGroup var options: BridgeOptions

  func run() async throws {
    try await BenchCommand.show(json: options.json) { [options] in
      try await BridgeRun(options).report()
    }
  }
}

/// What a run of `bridge` is told.
struct BridgeOptions: ParsableArguments {
  @Option(help: "Records of the backlog, about: 1M.")
  var records = EventCount(1_000_000)
  @Option(help: "Subscriptions.")
  var subscriptions = 100
  @Option(help: "Series of each.")
  var series = 60
  @Option(help: "Where the run keeps its data, which is removed at its end.")
  var directory = "/var/tmp"
  @Option(help: "The file of meters for the services.")
  var catalog = "deploy/config/meters.json"
  @Flag(
    help:
      "Send while it is collected, as a bridge does; otherwise afterwards, so that each has a figure."
  )
  var atOnce = false
  @Flag(help: "As a JSON object.")
  var json = false

  func validate() throws {
    guard (1...100_000).contains(subscriptions), (1...1000).contains(series) else {
      throw ValidationError("--subscriptions of 1 to 100000, --series of 1 to 1000 are taken")
    }
    guard (UInt64(subscriptions * series * 2)...100_000_000).contains(records.count) else {
      throw ValidationError(
        "--records is \(records.count); two for each series to 100000000 are taken")
    }
  }
}
