internal import ArgumentParser
internal import StackmeterCore

/// `stackmeter-bench freshness`.
struct FreshnessCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "freshness",
    abstract: "Time how long an accepted event takes until query counts it, with and without load.",
    discussion: """
      Build with -c release; the programs are those beside this one. Exits with 1 where a total is not the expected \
      one.
      """)

  @OptionGroup var options: FreshnessOptions

  func run() async throws {
    try await BenchCommand.show(json: options.json) { [options] in
      try await FreshnessRun(options).report()
    }
  }
}

/// What a run of `freshness` is told.
struct FreshnessOptions: ParsableArguments {
  /// Events of a second that still fit into ten calls.
  static let loadMax = 50_000

  @Option(help: "Events that are waited for, one after the other.")
  var samples = 200
  @Option(help: "Events a second that another reporter sends meanwhile; 0 for none.")
  var load = 0
  @Option(help: "Series of that load.")
  var series = 1000
  @Option(help: "Decides every event of the load.")
  var seed: UInt64 = 1
  @Option(help: "A directory on the disk to measure; all below it that is made is removed.")
  var directory = "/var/tmp"
  @Option(help: "The file of meters for the services.")
  var catalog = "deploy/config/meters.json"
  @Flag(help: "As a JSON object.")
  var json = false

  func validate() throws {
    let ranges = [
      ("--samples", samples, 1...1_000_000), ("--load", load, 0...FreshnessOptions.loadMax),
      ("--series", series, 1...1_000_000),
    ]
    for (name, value, range) in ranges where !range.contains(value) {
      throw ValidationError(
        "\(name) is \(value); \(range.lowerBound) to \(range.upperBound) are taken")
    }
  }
}
