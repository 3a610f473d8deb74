internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterRuntime

/// What a run is told.
struct IngestOptions: ParsableArguments {
  @Option(
    help: """
      stream: columnar batches by ReportStream. single: one event per Report. gateway: CloudEvents by HTTP. \
      raw: the transport alone.
      """)
  var mode: IngestCommand.Mode = .stream
  @Option(help: "New events: 200k, 10M. Default: 10M by stream, 200k single, 2M by gateway.")
  var events: EventCount?
  @Option(
    help: "Events of one batch, at most 16384. Default: 16384, and 1000 by gateway.")
  var batch: Int?
  @Option(
    help: "Reporters: each with a stream, or with a connection to the gateway. Default: 1 and 8.")
  var streams: Int?
  @Option(
    help:
      "Batches that each stream has under way, or single calls under way in all. Default: 8 and 64."
  )
  var inFlight: Int?
  @Option(help: "Connections to the collector, which the reporters share.")
  var connections = 1
  @Option(help: "Percent of what is sent: retries of earlier events.")
  var duplicates: Percent = Percent(5)
  @Option(help: "Percent of the events: of an earlier usage hour than their neighbours.")
  var late: Percent = Percent(5)
  @Option(help: "Different series.")
  var series = 1000
  @Option(help: "Subscriptions that the series are of.")
  var subscriptions = 100
  @Option(help: "Usage hours that the run advances over, ending now; 1 puts all in one hour.")
  var hours = 48
  @Option(help: "Decides every event.")
  var seed: UInt64 = 1
  @Flag(help: "The same work by PostgreSQL 15 too, and how often as fast we were.")
  var postgres = false
  @Option(help: "New events for PostgreSQL: fewer, because it gets slower as it grows.")
  var postgresEvents: EventCount = EventCount(1_000_000)
  @Option(help: "Connections to PostgreSQL, each with a reporter.")
  var postgresConnections = 2
  @Option(
    help: """
      By stream: load until each of these sizes is reached, say how fast the last stretch was, kill the \
      collector, start it again, and send old events once more: 1M,10M,100M.
      """)
  var growth: GrowthSizes?
  @Option(help: "A directory on the disk to measure; all below it that is made is removed.")
  var directory = "/var/tmp"
  @Option(help: "The file of meters for the collector.")
  var catalog = "deploy/config/meters.json"
  @Flag(help: "As a JSON object.")
  var json = false

  func validate() throws {
    let ranges = [
      ("--batch", batch ?? 1, 1...EventLimits.batchEventsMax), ("--streams", streams ?? 1, 1...64),
      ("--in-flight", inFlight ?? 1, 1...128), ("--connections", connections, 1...64),
      ("--postgres-connections", postgresConnections, 1...64),
      ("--series", series, 1...100_000), ("--subscriptions", subscriptions, 1...100_000),
      // Late events are up to a day older, and the collector takes a week.
      ("--hours", hours, 1...140),
    ]
    for (name, value, range) in ranges where !range.contains(value) {
      throw ValidationError(
        "\(name) is \(value); \(range.lowerBound) to \(range.upperBound) are taken")
    }
    if growth != nil, mode != .stream {
      throw ValidationError("--growth is for --mode stream")
    }
    if postgres, mode == .raw || growth != nil {
      throw ValidationError("--postgres compares reports; it is not for --mode raw or --growth")
    }
  }

  var batchEvents: Int {
    switch mode {
    case .stream, .raw: batch ?? EventLimits.batchEventsMax
    case .single: 1
    case .gateway: batch ?? 1000
    }
  }

  /// The number of reporters, and of batches or calls that each has under way.
  var reporters: Int {
    switch mode {
    case .stream, .raw: streams ?? 1
    case .single: inFlight ?? 64
    case .gateway: streams ?? 8
    }
  }
  var reporterInFlight: Int { mode == .stream || mode == .raw ? inFlight ?? 8 : 1 }

  var newEvents: UInt64 {
    switch mode {
    case .stream, .raw: events?.count ?? 10_000_000
    case .single: events?.count ?? 200_000
    case .gateway: events?.count ?? 2_000_000
    }
  }

  /// The new events of each reporter.
  func eventsOfEach(_ events: UInt64, of reporters: Int) -> UInt64 {
    (events + UInt64(reporters) - 1) / UInt64(reporters)
  }

  func workload(eventsPerReporter: UInt64) -> Workload {
    Workload(
      seed: seed, seriesCount: series, subscriptionCount: subscriptions, hourCount: hours,
      now: SystemClock().now().hour, eventsPerReporter: eventsPerReporter,
      duplicatesPercent: duplicates.value, latePercent: late.value)
  }
}

/// A number of events: `5000`, `200k`, `10M`.
struct EventCount: ExpressibleByArgument, Equatable, CustomStringConvertible {
  let count: UInt64

  init(_ count: UInt64) {
    self.count = count
  }

  init?(argument: String) {
    let units: [Character: UInt64] = ["k": 1000, "K": 1000, "M": 1_000_000]
    let unit = argument.last.flatMap { units[$0] }
    guard let number = UInt64(unit == nil ? argument[...] : argument.dropLast()), number > 0,
      case (let count, let overflow) = number.multipliedReportingOverflow(by: unit ?? 1), !overflow,
      count <= 1 << 40
    else { return nil }
    self.count = count
  }

  var description: String { "\(count)" }
}

/// Numbers of events, each larger than the one before it: `1M,10M,100M`.
struct GrowthSizes: ExpressibleByArgument, Equatable {
  let counts: [UInt64]

  init?(argument: String) {
    let sizes = argument.split(separator: ",", omittingEmptySubsequences: false)
      .map { EventCount(argument: String($0))?.count ?? 0 }
    guard zip([0] + sizes, sizes).allSatisfy({ $0 < $1 }) else { return nil }
    counts = sizes
  }
}

/// A whole number of percent below 100: `5`, `5%`.
struct Percent: ExpressibleByArgument, Equatable, CustomStringConvertible {
  let value: Int

  init(_ value: Int) {
    self.value = value
  }

  init?(argument: String) {
    let digits = argument.hasSuffix("%") ? argument.dropLast() : argument[...]
    guard let value = Int(digits), (0..<100).contains(value) else { return nil }
    self.value = value
  }

  var description: String { "\(value)" }
}
