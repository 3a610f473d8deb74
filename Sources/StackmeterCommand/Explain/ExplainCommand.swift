internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter explain`.
struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Show the events that an aggregate is made of.",
    discussion: """
      From the usage of one subscription and meter in one usage hour to the events in the journal: where each stands, \
      when it was reported, by whom, and how much the aggregate grows by it. Exits with 1 where they do not make the \
      aggregate.
      """)

  @OptionGroup var options: SettingsOptions
  @Option(help: "The subscription.")
  var subscription: String
  @Option(help: "The id of the meter.")
  var meter: String
  @Option(help: "The usage hour: 2026-11-23T15:00:00Z.")
  var hour: String
  @Option(help: "Only what was reported in this reporting window: 2026-11-23T16:00:00Z.")
  var window: String?
  @Option(help: ArgumentHelp("Only this resource.", valueName: "uri"))
  var resource: String?
  @Flag(help: "One JSON object on each line, the last one with the sums.")
  var json = false

  func validate() throws {
    _ = try request()
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      var request = try request()
      request.pageSize = UInt32(ExplainRequest.pageSizeMax)
      let first = request
      let isWhole = try await withService("query", of: settings) { channel in
        let query = QueryClient(channel)
        var request = first
        var text = ExplainText(isJSON: json)
        while true {
          let response = try await query.explain(request)
          StandardStream.output.write(text.page(response))
          request.pageToken = response.nextPageToken
          guard request.pageToken.isEmpty else { continue }
          StandardStream.output.write(text.end(response))
          return response.problem.isEmpty
        }
      }
      if !isWhole { throw ExitCode(1) }
    }
  }

  private func request() throws(ValidationError) -> ExplainRequest {
    for (name, text) in [
      ("--subscription", subscription), ("--meter", meter), ("--resource", resource ?? "-"),
    ] where text.isEmpty {
      throw ValidationError("\(name): must not be empty")
    }
    return ExplainRequest(
      caller: .operator, subscription: subscription.asciiLowercased, meter: meter,
      resourceURI: resource, usageHour: try hour("--hour", hour),
      window: try window.map { (text) throws(ValidationError) in try hour("--window", text) })
  }

  private func hour(_ name: String, _ text: String) throws(ValidationError) -> Hour {
    guard let instant = Instant(parsing: text), instant == instant.hour.start else {
      throw ValidationError("\(name): \(text) is no time on the hour such as 2026-11-23T15:00:00Z")
    }
    return instant.hour
  }
}
