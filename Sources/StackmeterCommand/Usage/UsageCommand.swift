internal import ArgumentParser
internal import GRPCCore
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter usage`.
struct UsageCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "usage", abstract: "Show what subscriptions consumed.",
    discussion: """
      Without --list: exact totals by usage time. With --list: the usage aggregates, by the time that they \
      were reported. All times are UTC; the period ends before --to. Without a period it is today.
      """)

  enum Grouping: String {
    case day
    case subscription
    case meter
  }

  @OptionGroup var options: SettingsOptions
  @Option(help: "The first day, or hour: 2026-11-23 or 2026-11-23T15:00:00Z.")
  var from: String?
  @Option(help: "The day, or hour, that the period ends before.")
  var to: String?
  @Option(help: "Totals by these, comma-separated: day, subscription, meter. By meter always.")
  var by = "subscription"
  @Option(name: .customLong("subscription"), help: "Only this subscription; may be repeated.")
  var subscriptions: [String] = []
  @Option(name: .customLong("meter"), help: "Only the meter of this id; may be repeated.")
  var meters: [String] = []
  @Flag(help: "List usage aggregates instead of totals.")
  var list = false
  @Flag(help: "With --list: an aggregate for each usage hour. The default.")
  var hourly = false
  @Flag(help: "With --list: an aggregate for each usage day.")
  var daily = false
  @Option(help: "Round the table to so many digits after the point.")
  var digits: Int?
  @Flag(help: "Exact JSON: one object, or with --list one object on each line.")
  var json = false
  @Flag(help: "Exact CSV (RFC 4180).")
  var csv = false
  @Flag(help: "Show the table again every two seconds.")
  var watch = false

  func validate() throws {
    _ = try groupings()
    if json && csv { throw ValidationError("--json and --csv exclude each other") }
    if hourly && daily { throw ValidationError("--hourly and --daily exclude each other") }
    if (hourly || daily) && !list { throw ValidationError("--hourly and --daily need --list") }
    if watch && (json || csv || list) {
      throw ValidationError("--watch shows the table of totals only")
    }
    if let digits, !(0...Quantity.fractionDigits).contains(digits) {
      throw ValidationError("--digits must be 0 to \(Quantity.fractionDigits)")
    }
    if digits != nil && (json || csv) {
      throw ValidationError("--digits is for the table; --json and --csv are exact")
    }
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      try await withService("query", of: settings) { channel in
        let query = QueryClient(channel)
        if list {
          try await showList(query)
        } else if watch {
          try await showTotalsAgainAndAgain(query, settings)
        } else {
          try await StandardStream.output.write(bytes: totals(query))
        }
      }
    }
  }

  var format: OutputFormat { json ? .json : csv ? .csv : .table }

  func groupings() throws -> Set<Grouping> {
    var groupings: Set<Grouping> = []
    for name in by.split(separator: ",", omittingEmptySubsequences: false) {
      guard let grouping = Grouping(rawValue: String(name)) else {
        throw ValidationError("--by: \(name) is not one of day, subscription, meter")
      }
      groupings.insert(grouping)
    }
    return groupings
  }

  private func totals(_ query: QueryClient) async throws -> [UInt8] {
    let period = try UsagePeriod(from: from, to: to, now: SystemClock().now())
    let groupings = try groupings()
    let request = SummarizeRequest(
      caller: .operator, hours: period.hours, byDay: groupings.contains(.day),
      bySubscription: groupings.contains(.subscription), subscriptions: subscriptions,
      meters: meters)
    let answer = try await query.summary(request)
    var names = SubscriptionNames()
    try await names.learn(answer.totals.compactMap(\.subscription), from: query)
    let summary = UsageSummary(
      period: period, byDay: groupings.contains(.day),
      bySubscription: groupings.contains(.subscription),
      totals: answer.totals, meters: MeterNames(try await query.listMeters()),
      missing: answer.missing, subscriptions: names)
    return switch format {
    case .table: Array(summary.table(digits: digits).utf8)
    case .json: summary.json()
    case .csv: summary.csv()
    }
  }

  /// Until the program is ended; a query that is away for a while is waited for.
  private func showTotalsAgainAndAgain(_ query: QueryClient, _ settings: Settings) async throws {
    while true {
      var screen: [UInt8]
      do {
        screen = try await totals(query)
      } catch let error as RPCError where error.code == .unavailable {
        screen = Array("query does not answer at \(settings.socketPath("query")); waiting\n".utf8)
      }
      if StandardStream.output.isTerminal {
        // Home, and each line cleared as it is written, so that nothing flickers.
        let cleared = screen.flatMap { $0 == 0x0A ? Array("\u{1B}[K\n".utf8) : [$0] }
        screen = Array("\u{1B}[H".utf8) + cleared + Array("\u{1B}[J".utf8)
      } else {
        screen.append(0x0A)
      }
      StandardStream.output.write(bytes: screen)
      try await Task.sleep(for: .seconds(2))
    }
  }

  private func showList(_ query: QueryClient) async throws {
    let period = try UsagePeriod(from: from, to: to, now: SystemClock().now())
    guard !daily || period.isWholeDays else {
      throw CommandFailure("--daily needs whole days in --from and --to", exitCode: 64)
    }
    var listing = UsageListing(
      format: format, digits: digits, meters: MeterNames(try await query.listMeters()))
    StandardStream.output.write(bytes: listing.head())
    var request = ListUsageRequest(
      caller: .operator, windows: period.hours, granularity: daily ? .daily : .hourly,
      subscriptions: subscriptions, meters: meters)
    var missing = MissingSources.none
    repeat {
      let response = try await query.listUsage(request)
      try await listing.subscriptions.learn(
        response.aggregates.map(\.series.subscription), from: query)
      StandardStream.output.write(bytes: listing.page(response.aggregates))
      request.pageToken = response.nextPageToken
      missing = response.missing
    } while !request.pageToken.isEmpty && !listing.isFull
    StandardStream.output.write(bytes: listing.tail(period, missing: missing))
  }
}
