internal import ArgumentParser

/// `stackmeter-bench query`.
struct QueryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query",
    abstract: "Ask a query service with a large usage database, which is made for it.",
    discussion: """
      Build with -c release; the programs are those beside this one. Exits with 1 where an answer is not the \
      expected one.
      """)

  @OptionGroup var options: QueryOptions

  func run() async throws {
    try await BenchCommand.show(json: options.json) { [options] in
      try await QueryRun(options).report()
    }
  }
}

/// What a run of `query` is told.
struct QueryOptions: ParsableArguments {
  @Option(help: "Aggregates in the database, about: 10M, 100M.")
  var aggregates = EventCount(10_000_000)
  @Option(help: "Subscriptions.")
  var subscriptions = 400
  @Option(help: "Series of each subscription.")
  var series = 50
  @Option(help: "Pages that are asked for, of each kind.")
  var pages = 1000
  @Option(help: "Summaries that are asked for of single subscriptions.")
  var summaries = 100
  @Option(help: "Decides every question.")
  var seed: UInt64 = 1
  @Flag(help: "The same questions to PostgreSQL 15 with the same rows, and how much slower it was.")
  var postgres = false
  @Flag(help: "Pages and the file of a day by HTTP, too, from a gateway.")
  var gateway = false
  @Option(help: "A directory on the disk to measure; all below it that is made is removed.")
  var directory = "/var/tmp"
  @Option(help: "The file of meters for the services.")
  var catalog = "deploy/config/meters.json"
  @Flag(help: "As a JSON object.")
  var json = false

  func validate() throws {
    let ranges = [
      ("--subscriptions", subscriptions, 1...100_000), ("--series", series, 1...100_000),
      ("--pages", pages, 1...1_000_000), ("--summaries", summaries, 1...1_000_000),
    ]
    for (name, value, range) in ranges where !range.contains(value) {
      throw ValidationError(
        "\(name) is \(value); \(range.lowerBound) to \(range.upperBound) are taken")
    }
    let series = subscriptions * series
    guard series <= 1_000_000, aggregates.count >= UInt64(series) * 48 else {
      throw ValidationError(
        "\(aggregates) aggregates are less than two days of \(series) series, or these more than "
          + "1000000")
    }
  }
}
