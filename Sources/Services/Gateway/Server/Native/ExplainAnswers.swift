internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/v1/explain`: the events that an aggregate is made of.
struct ExplainAnswers: Sendable {
  let query: QueryClient

  /// A page of parts in the order of the journal. A tenant sees the events of its own subscriptions only.
  func explain(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let subscription = reader.text("subscription")?.asciiLowercased ?? ""
    let meter = reader.text("meter") ?? ""
    let hour = reader.hour("usageHour")
    let window = reader.hour("window")
    let pageSize = reader.integer("pageSize") ?? 0
    try reader.finish()
    guard request.caller.maySee(subscription) else {
      throw HTTPProblem.subscriptionNotFound(subscription)
    }
    let page = try await query.explain(
      ExplainRequest(
        caller: request.caller, subscription: subscription, meter: meter,
        resourceURI: reader.text("resourceUri"), usageHour: hour ?? Hour(index: 0),
        window: window, pageSize: UInt32(pageSize), pageToken: reader.text("pageToken") ?? ""))
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in for part in page.parts { writer.object { $0.members(of: part) } } })
      writer.member("aggregation", string: page.aggregation.rawValue)
      writer.member("aggregate", string: page.aggregate.description)
      writer.member("explained", string: page.explained.description)
      writer.member("provisional", page.isProvisional)
      if !page.problem.isEmpty { writer.member("problem", string: page.problem) }
      if !page.nextPageToken.isEmpty {
        writer.member("nextPageToken", string: page.nextPageToken)
      }
    }.linked(
      page.nextPageToken.isEmpty ? nil : request.next(["pageToken": page.nextPageToken]))
  }
}
