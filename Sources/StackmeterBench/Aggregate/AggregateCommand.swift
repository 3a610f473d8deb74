internal import ArgumentParser
internal import StackmeterCore

/// `stackmeter-bench aggregate`.
struct AggregateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aggregate",
    abstract: "Fill a journal, and time an aggregator from its start until all of it is counted.",
    discussion: """
      Build with -c release; the programs are those beside this one. Exits with 1 where the usage database does not \
      have what was reported, behind the figures of the runs before that.
      """)

  @OptionGroup var options: AggregateOptions

  func run() async throws {
    try await BenchCommand.show(json: options.json) { [options] in
      try await AggregateRun(options).report()
    }
  }
}

/// What a run of `aggregate` is told.
struct AggregateOptions: ParsableArguments {
  /// More than the aggregator remembers at once.
  static let seriesMax: UInt64 = 2_000_000

  @Option(help: "Events in the journal: 200k, 10M.")
  var events = EventCount(10_000_000)
  @Option(help: "Different series, one run for each number, ascending: 1k,10k,100k,1M.")
  var series = GrowthSizes(argument: "1k,10k,100k,1M")!
  @Option(help: "Subscriptions that the series are of.")
  var subscriptions = 500
  @Option(help: "Usage hours that the events are of, ending now; 1 puts all in one hour.")
  var hours = 48
  @Option(help: "Percent of the events: of an earlier usage hour than their neighbours.")
  var late = Percent(5)
  @Option(
    help: "Events of one batch, at most 16384; of very many series fewer fit into a message.")
  var batch = 8192
  @Option(help: "Decides every event.")
  var seed: UInt64 = 1
  @Flag(help: "The same journal again into PostgreSQL 15, and how much slower that was.")
  var postgres = false
  @Option(help: "A directory on the disk to measure; all below it that is made is removed.")
  var directory = "/var/tmp"
  @Option(help: "The file of meters for the services.")
  var catalog = "deploy/config/meters.json"
  @Flag(help: "As a JSON object.")
  var json = false

  func validate() throws {
    let ranges = [
      ("--batch", batch, 1...EventLimits.batchEventsMax), ("--hours", hours, 1...140),
      ("--subscriptions", subscriptions, 1...100_000),
    ]
    for (name, value, range) in ranges where !range.contains(value) {
      throw ValidationError(
        "\(name) is \(value); \(range.lowerBound) to \(range.upperBound) are taken")
    }
    if let largest = series.counts.last, largest > AggregateOptions.seriesMax {
      throw ValidationError("--series is \(largest); 1 to \(AggregateOptions.seriesMax) are taken")
    }
  }
}
