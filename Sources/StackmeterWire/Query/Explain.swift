package import CStackmeterProto
package import StackmeterCore

/// `Query.Explain`: the events that an aggregate is made of.
package struct ExplainRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000
  package static let pageSizeDefault = 100

  package var caller: Caller
  package var subscription: String
  package var meter: String
  /// Nil for all resources.
  package var resourceURI: String?
  package var usageHour: Hour
  /// Nil for all reporting windows.
  package var window: Hour?
  /// 0 for `pageSizeDefault`.
  package var pageSize: UInt32
  /// Empty for the first page.
  package var pageToken: String

  package init(
    caller: Caller, subscription: String, meter: String, resourceURI: String? = nil,
    usageHour: Hour, window: Hour? = nil, pageSize: UInt32 = 0, pageToken: String = ""
  ) {
    self.caller = caller
    self.subscription = subscription
    self.meter = meter
    self.resourceURI = resourceURI
    self.usageHour = usageHour
    self.window = window
    self.pageSize = pageSize
    self.pageToken = pageToken
  }

  package init(wire raw: borrowing Stackmeter__V1__ExplainRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
    subscription = text(raw.subscription).asciiLowercased
    meter = text(raw.meter)
    for (name, field) in [(subscription, "subscription"), (meter, "meter")] where name.isEmpty {
      throw .invalidField(field: field, problem: "is needed")
    }
    let uri = text(raw.resource_uri)
    resourceURI = uri.isEmpty ? nil : uri
    usageHour = try hour(raw.usage_hour, "usage_hour")
    window = raw.window == 0 ? nil : try hour(raw.window, "window")
    pageSize = raw.page_size
    pageToken = text(raw.page_token)
  }

  package func fill(_ raw: inout Stackmeter__V1__ExplainRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.subscription = packer.arena.text(subscription)
    raw.meter = packer.arena.text(meter)
    raw.resource_uri = packer.arena.text(resourceURI ?? "")
    raw.usage_hour = usageHour.index
    raw.window = window?.index ?? 0
    raw.page_size = pageSize
    raw.page_token = packer.arena.text(pageToken)
  }
}

/// A page of what an aggregate is made of.
package struct ExplainResponse: WireMessage, Hashable {
  package var parts: [ExplainedPart]
  /// Empty on the last page.
  package var nextPageToken: String
  package var aggregation: Aggregation
  /// What the usage database had when the first page was asked for.
  package var aggregate: Quantity
  /// The sum of the parts up to this page.
  package var explained: Quantity
  package var isProvisional: Bool
  /// On the last page: empty, or why the parts do not make the aggregate.
  package var problem: String

  package init(
    parts: [ExplainedPart], nextPageToken: String, aggregation: Aggregation, aggregate: Quantity,
    explained: Quantity, isProvisional: Bool, problem: String
  ) {
    self.parts = parts
    self.nextPageToken = nextPageToken
    self.aggregation = aggregation
    self.aggregate = aggregate
    self.explained = explained
    self.isProvisional = isProvisional
    self.problem = problem
  }

  package init(wire raw: borrowing Stackmeter__V1__ExplainResponse) throws(WireError) {
    guard let aggregation = Aggregation(rawValue: text(raw.aggregation)) else {
      throw .invalidField(
        field: "aggregation", problem: "\"\(text(raw.aggregation))\" is unknown")
    }
    self.aggregation = aggregation
    nextPageToken = text(raw.next_page_token)
    aggregate = try Quantity(wire: raw.aggregate)
    explained = try Quantity(wire: raw.explained)
    isProvisional = raw.provisional != 0
    problem = text(raw.problem)
    parts = try elements(raw.parts, raw.n_parts) { (raw) throws(WireError) in
      guard let usage = raw.usage else {
        throw .invalidField(field: "parts.usage", problem: "is missing")
      }
      return ExplainedPart(
        usage: try JournaledUsage(wire: usage.pointee), part: try Quantity(wire: raw.part),
        window: Hour(index: raw.window))
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__ExplainResponse, _ packer: borrowing Packer) {
    raw.next_page_token = packer.arena.text(nextPageToken)
    raw.aggregation = packer.arena.text(aggregation.rawValue)
    raw.aggregate = aggregate.wire(packer.arena)
    raw.explained = explained.wire(packer.arena)
    raw.provisional = isProvisional ? 1 : 0
    raw.problem = packer.arena.text(problem)
    raw.n_parts = parts.count
    raw.parts = packer.arena.messages(parts) {
      (part, raw: inout Stackmeter__V1__ExplainedPart) in
      raw.usage = packer.arena.message { part.usage.fill(&$0, packer) }
      raw.part = part.part.wire(packer.arena)
      raw.window = part.window.index
    }
  }
}
