internal import GRPCCore
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/v1/usage` and `/v1/usage/summary`.
struct UsageAnswers: Sendable {
  let query: QueryClient
  let meters: MeterNames
  let clock: any WallClock

  /// Usage aggregates by reported or by usage time, the open window among them, or as they were known at `asOf`. By
  /// default of the last 24 hours, 30 days or 12 months. The answer's `from` and `to` go with its `nextPageToken`.
  func usage(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let granularity = reader.granularity()
    let axis = reader.axis() ?? .reported
    let asOf = reader.asOf()
    let windows = range(&reader, alignedTo: granularity, byDefault: granularity, asOf)
    let series = reader.seriesSelection()
    let pageSize = reader.integer("pageSize") ?? 0
    try reader.finish()
    let question = ListUsageRequest(
      caller: request.caller, axis: axis, windows: windows, granularity: granularity,
      subscriptions: try reader.visibleSubscriptions(to: request.caller),
      meters: reader.texts("meter"),
      series: series, asOf: asOf, pageSize: UInt32(pageSize),
      pageToken: reader.text("pageToken") ?? "")
    let page = try await namingParameters { () async throws(RPCError) in
      try await query.listUsage(question)
    }
    let next =
      page.nextPageToken.isEmpty
      ? nil
      : request.next([
        "from": windows.lowerBound.description, "to": windows.upperBound.description,
        "pageToken": page.nextPageToken,
      ])
    let reply = Reply { writer in
      writer.member("from", string: windows.lowerBound.description)
      writer.member("to", string: windows.upperBound.description)
      if let asOf { writer.member("asOf", string: asOf.description) }
      writer.member(
        "value",
        array: { writer in
          for aggregate in page.aggregates { writer.nativeRow(aggregate, question) }
        })
      if !page.nextPageToken.isEmpty {
        writer.member("nextPageToken", string: page.nextPageToken)
      }
      writer.member(missing: page.missing)
    }
    let isClosed = axis == .reported && windows.upperBound <= page.openWindow
    return reply.linked(next).lasting(asOf != nil || isClosed, for: request.caller)
  }

  /// Exact totals of each meter by usage time, or by reported time, the last 30 days by default.
  func summary(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let axis = reader.axis() ?? .usage
    let asOf = reader.asOf()
    let hours = range(&reader, alignedTo: .hourly, byDefault: .daily, asOf)
    let groupings = reader.groupings()
    let series = reader.seriesSelection()
    let top = reader.integer("top") ?? 0
    try reader.finish()
    let question = SummarizeRequest(
      caller: request.caller, axis: axis, hours: hours, groupings: groupings,
      subscriptions: try reader.visibleSubscriptions(to: request.caller),
      meters: reader.texts("meter"),
      series: series, asOf: asOf, top: UInt32(top))
    let summary = try await namingParameters { () async throws(RPCError) in
      try await query.summary(question)
    }
    // Of what is the same for ever, what the catalog says today is no part.
    let meters = asOf == nil ? try await meters.current() : nil
    let reply = Reply { writer in
      writer.member("from", string: hours.lowerBound.description)
      writer.member("to", string: hours.upperBound.description)
      if let asOf { writer.member("asOf", string: asOf.description) }
      writer.member(
        "value",
        array: { writer in
          for total in summary.totals { writer.total(total, question, meters) }
        })
      writer.member(missing: summary.missing)
    }
    let isClosed = axis == .reported && hours.upperBound <= summary.openWindow
    return reply.lasting(asOf != nil || isClosed, for: request.caller)
  }

  /// The hours from `from` to `to`. Where one is missing, it is 24 hours, 30 days or 12 months away from the other.
  /// What is asked as of an instant depends on no clock.
  private func range(
    _ reader: inout ParameterReader, alignedTo granularity: Granularity,
    byDefault unit: Granularity, _ asOf: Hour?
  ) -> Range<Hour> {
    let count: Int64 =
      switch unit {
      case .hourly: 24
      case .daily: 30
      case .monthly: 12
      }
    let from = reader.hour("from", alignedTo: granularity)
    let to = reader.hour("to", alignedTo: granularity)
    // The last hour that the answer is about, unless it is said.
    let last = asOf.map { $0.index - 1 } ?? clock.now().hour.index
    let upper = to ?? Hour(index: unit.firstHour(ofPeriod: unit.period(ofHour: last) + 1))
    let first = unit.firstHour(ofPeriod: unit.period(ofHour: upper.index - 1) + 1 - count)
    let lower = from ?? Hour(index: max(0, to == nil ? first : first + upper.index % 24))
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
  fileprivate mutating func nativeRow(_ aggregate: UsageAggregate, _ question: ListUsageRequest) {
    let series = aggregate.series
    object { writer in
      writer.member("id", string: aggregate.id)
      writer.member("subscriptionId", string: series.subscription)
      writer.member("meterId", string: series.meter)
      writer.member("resourceUri", string: series.resource.uri)
      writer.member("location", string: series.resource.location)
      writer.member("tags", value: series.resource.tagsValue)
      writer.member("additionalInfo", string: series.resource.additionalInfo)
      writer.member("usageStart", string: aggregate.usageStart.description)
      writer.member("usageEnd", string: aggregate.usageEnd.description)
      writer.member("quantity", string: aggregate.quantity.description)
      writer.member(
        question.axis == .usage ? "lastWindow" : "window", string: aggregate.window.description)
      writer.member("provisional", aggregate.isProvisional)
      // Whether more is expected is known of now, not of then.
      if question.asOf == nil { writer.member("final", aggregate.isFinal) }
      if let cell = aggregate.cell { writer.member("cell", string: cell) }
    }
  }

  fileprivate mutating func total(
    _ total: UsageTotal, _ question: SummarizeRequest, _ meters: MeterNames.Copy?
  ) {
    object { writer in
      if let period = total.period,
        let granularity = question.groupings.compactMap(\.granularity).first
      {
        switch granularity {
        case .hourly: writer.member("hour", string: period.description)
        case .daily: writer.member("day", string: period.day.description)
        case .monthly: writer.member("month", string: String(period.description.prefix(7)))
        }
      }
      writer.groups(of: total, question.groupings.filter { $0.granularity == nil })
      if total.isOthers { writer.member("others", true) }
      writer.member("meterId", string: total.meter)
      if let meters {
        // A meter may leave the catalog; its usage stays.
        writer.member("meterName", string: meters[total.meter]?.name ?? "")
        writer.member("unit", string: meters[total.meter]?.unit ?? "")
      }
      writer.member("quantity", string: total.quantity.description)
      writer.member("provisional", total.isProvisional)
      if question.asOf == nil { writer.member("final", total.isFinal) }
    }
  }

  /// What a total has in common; null where there is nothing. Tags are in an object, whatever they are called.
  private mutating func groups(of total: UsageTotal, _ names: [Grouping]) {
    var tags: [(isOfSubscription: Bool, name: String, value: String?)] = []
    for (grouping, value) in zip(names, total.groups) {
      switch grouping {
      case .subscription: member("subscriptionId", text: value)
      case .resource: member("resourceUri", text: value)
      case .resourceGroup: member("resourceGroup", text: value)
      case .location: member("location", text: value)
      case .owner: member("owner", text: value)
      case .costCenter: member("costCenter", text: value)
      case .tag(let name): tags.append((false, name, value))
      case .subscriptionTag(let name): tags.append((true, name, value))
      case .hour, .day, .month: break
      }
    }
    for (isOfSubscription, member) in [(false, "tags"), (true, "subscriptionTags")] {
      let some = tags.filter { $0.isOfSubscription == isOfSubscription }
      guard !some.isEmpty else { continue }
      self.member(
        member, object: { writer in for tag in some { writer.member(tag.name, text: tag.value) } })
    }
  }

  private mutating func member(_ name: String, text: String?) {
    if let text { member(name, string: text) } else { member(name, raw: "null") }
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
