internal import GRPCCore
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/v1/usage` and `/v1/usage/summary`.
struct UsageAnswers: Sendable {
  let query: QueryClient
  let meters: MeterNames
  let clock: any WallClock

  /// Usage aggregates by reported time, the open window among them. By default of the last 24 hours, or of the
  /// last 30 days where daily. The answer's `from` and `to` go with its `nextPageToken`.
  func usage(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let granularity: Granularity = reader.choice("granularity") == "daily" ? .daily : .hourly
    let windows = range(&reader, alignedTo: granularity, byDefaultDaily: granularity == .daily)
    let pageSize = reader.integer("pageSize") ?? 0
    try reader.finish()
    let page = try await query.listUsage(
      ListUsageRequest(
        caller: request.caller, windows: windows, granularity: granularity,
        subscriptions: try subscriptions(reader, request.caller), meters: reader.texts("meter"),
        pageSize: UInt32(pageSize), pageToken: reader.text("pageToken") ?? ""))
    return Reply { writer in
      writer.member("from", string: windows.lowerBound.description)
      writer.member("to", string: windows.upperBound.description)
      writer.member(
        "value",
        array: { writer in for aggregate in page.aggregates { writer.nativeRow(aggregate) } })
      if !page.nextPageToken.isEmpty {
        writer.member("nextPageToken", string: page.nextPageToken)
      }
      writer.member(missing: page.missing)
    }
  }

  /// Exact totals of each meter by usage time, the last 30 days by default.
  func summary(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let hours = range(&reader, alignedTo: .hourly, byDefaultDaily: true)
    let groups = reader.choices("groupBy")
    try reader.finish()
    let summary = try await query.summary(
      SummarizeRequest(
        caller: request.caller, hours: hours, byDay: groups.contains("day"),
        bySubscription: groups.contains("subscription"),
        subscriptions: try subscriptions(reader, request.caller), meters: reader.texts("meter")))
    let meters = try await meters.current()
    return Reply { writer in
      writer.member("from", string: hours.lowerBound.description)
      writer.member("to", string: hours.upperBound.description)
      writer.member(
        "value",
        array: { writer in
          for total in summary.totals { writer.total(total, meters[total.meter]) }
        })
      writer.member(missing: summary.missing)
    }
  }

  private func subscriptions(
    _ reader: ParameterReader, _ caller: Caller
  ) throws(HTTPProblem) -> [String] {
    let subscriptions = reader.texts("subscription").map(\.asciiLowercased)
    if let foreign = subscriptions.first(where: { !caller.maySee($0) }) {
      throw .subscriptionNotFound(foreign)
    }
    return subscriptions
  }

  /// The hours from `from` to `to`. Where one is missing, it is a day or 30 days away from the other.
  private func range(
    _ reader: inout ParameterReader, alignedTo granularity: Granularity, byDefaultDaily: Bool
  ) -> Range<Hour> {
    let now = clock.now().hour
    let nowEnd = byDefaultDaily ? now.day.next.firstHour : now.next
    let length: Int64 = byDefaultDaily ? 30 * 24 : 24
    let from = reader.hour("from", alignedTo: granularity)
    let to = reader.hour("to", alignedTo: granularity)
    let upper = to ?? nowEnd
    let lower = from ?? Hour(index: max(0, upper.index - length))
    guard lower <= upper else {
      reader.add(
        to == nil ? "from" : "to",
        to == nil ? "must not be in the future" : "must not be before from")
      return upper..<upper
    }
    return lower..<upper
  }
}

extension JSONWriter {
  /// Quantities are strings: a JSON number is a float in most clients.
  fileprivate mutating func nativeRow(_ aggregate: UsageAggregate) {
    let series = aggregate.series
    object { writer in
      writer.member("subscriptionId", string: series.subscription)
      writer.member("meterId", string: series.meter)
      writer.member("resourceUri", string: series.resource.uri)
      writer.member("location", string: series.resource.location)
      writer.member("tags", value: series.resource.tagsValue)
      writer.member("additionalInfo", string: series.resource.additionalInfo)
      writer.member("usageStart", string: aggregate.usageStart.description)
      writer.member("usageEnd", string: aggregate.usageEnd.description)
      writer.member("quantity", string: aggregate.quantity.description)
      writer.member("window", string: aggregate.window.description)
      writer.member("provisional", aggregate.isProvisional)
      writer.member("final", aggregate.isFinal)
      if let cell = aggregate.cell { writer.member("cell", string: cell) }
    }
  }

  fileprivate mutating func total(_ total: UsageTotal, _ meter: Meter?) {
    object { writer in
      if let day = total.day { writer.member("day", string: day.description) }
      if let subscription = total.subscription {
        writer.member("subscriptionId", string: subscription)
      }
      writer.member("meterId", string: total.meter)
      // A meter may leave the catalog; its usage stays.
      writer.member("meterName", string: meter?.name ?? "")
      writer.member("unit", string: meter?.unit ?? "")
      writer.member("quantity", string: total.quantity.description)
      writer.member("provisional", total.isProvisional)
      writer.member("final", total.isFinal)
    }
  }
}

extension Resource {
  /// The tags as a JSON object. A text that is none, which no collector accepts, gives an empty one.
  fileprivate var tagsValue: JSONValue {
    guard !tags.isEmpty,
      case .object(let members)? = try? JSONValue(parsing: Array(tags.utf8), limits: .event)
    else { return .object([]) }
    return .object(members)
  }
}
