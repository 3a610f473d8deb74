internal import ArgumentParser

/// `stackmeter-bench rate`.
struct RateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rate",
    abstract:
      "Rate a month of usage in memory, down to statements, and close them from a database.",
    discussion: """
      Build with -c release. No service is started. Exits with 1 where a statement does not tie to the usage.
      """)

  @OptionGroup var options: RateOptions

  func run() async throws {
    try await BenchCommand.show(json: options.json) { [options] in try RateRun(options).report() }
  }
}

/// What a run of `rate` is told.
struct RateOptions: ParsableArguments {
  @Option(help: "Aggregates of the month, about: 1M.")
  var aggregates = EventCount(1_000_000)
  @Option(help: "Subscriptions.")
  var subscriptions = 10_000
  @Option(help: "A directory on the disk to measure; all below it that is made is removed.")
  var directory = "/var/tmp"
  @Option(help: "Decides every quantity and the order of the rows.")
  var seed: UInt64 = 1
  @Flag(help: "As a JSON object.")
  var json = false

  func validate() throws {
    guard (1...1_000_000).contains(subscriptions) else {
      throw ValidationError("--subscriptions is \(subscriptions); 1 to 1000000 are taken")
    }
    let least = UInt64(subscriptions * RateDataset.seriesPerSubscription)
    guard (least...100_000_000).contains(aggregates.count) else {
      throw ValidationError(
        "--aggregates is \(aggregates.count); \(least), one for each series, to 100000000 are taken"
      )
    }
  }
}
