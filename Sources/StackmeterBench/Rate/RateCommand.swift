internal import ArgumentParser

/// `stackmeter-bench rate`.
struct RateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rate",
    abstract:
      "Rate a month of usage in memory, down to statements, and close them from a database.",
    discussion: """
      Build with -c release. No service is started but with --focus, and the programs are those beside this one. \
      Exits with 1 where a statement does not tie to the usage, or a file not to the statements.
      """)

  @OptionGroup var options: RateOptions

  func run() async throws {
    try await BenchCommand.show(json: options.json) { [options] in
      try await RateRun(options).report()
    }
  }
}

/// What a run of `rate` is told.
struct RateOptions: ParsableArguments {
  @Option(help: "Aggregates of the month, about: 1M.")
  var aggregates = EventCount(1_000_000)
  @Option(help: "Subscriptions.")
  var subscriptions = 10_000
  @Flag(
    help:
      "What is closed is also asked for: as FOCUS, by showback and reconciliation, of a gateway."
  )
  var focus = false
  @Option(help: "The form of the FOCUS file: 1.2, or 1.0 for version 1.0.0 of focus-validator.")
  var focusVersion = "1.2"
  @Option(
    help: ArgumentHelp(
      "Where the FOCUS file is kept; else it is removed.", valueName: "file"))
  var keepFocus: String?
  @Option(help: "The file of meters for the services.")
  var catalog = "deploy/config/meters.json"
  @Option(help: "A directory on the disk to measure; all below it that is made is removed.")
  var directory = "/var/tmp"
  @Option(help: "Decides every quantity and the order of the rows.")
  var seed: UInt64 = 1
  @Flag(help: "As a JSON object.")
  var json = false

  func validate() throws {
    guard ["1.2", "1.0"].contains(focusVersion), focus || keepFocus == nil else {
      throw ValidationError("--focus-version is 1.2 or 1.0, and --keep-focus goes with --focus")
    }
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
