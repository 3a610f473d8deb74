package import CStackmeterProto
package import StackmeterCore

/// `Collector.FindUsage`: what the journal counts for one subscription, meter and usage hour.
package struct FindUsageRequest: WireMessage, Hashable {
  package static let limitMax = 1000

  package var positions: Range<UInt64>
  package var journalID: UInt64
  package var subscription: String
  package var meter: String
  /// Nil for all.
  package var resourceURI: String?
  package var usageHour: Hour
  /// 0 for the most.
  package var limit: UInt32

  package init(
    positions: Range<UInt64>, journalID: UInt64, subscription: String, meter: String,
    resourceURI: String? = nil, usageHour: Hour, limit: UInt32 = 0
  ) {
    self.positions = positions
    self.journalID = journalID
    self.subscription = subscription
    self.meter = meter
    self.resourceURI = resourceURI
    self.usageHour = usageHour
    self.limit = limit
  }

  package init(wire raw: borrowing Stackmeter__V1__FindUsageRequest) throws(WireError) {
    guard raw.from_position <= raw.to_position else {
      throw .invalidField(field: "to_position", problem: "is before from_position")
    }
    guard raw.limit <= FindUsageRequest.limitMax else {
      throw .invalidField(
        field: "limit", problem: "is \(raw.limit); at most \(FindUsageRequest.limitMax) is taken")
    }
    positions = raw.from_position..<raw.to_position
    journalID = raw.journal_id
    subscription = text(raw.subscription)
    meter = text(raw.meter)
    let uri = text(raw.resource_uri)
    resourceURI = uri.isEmpty ? nil : uri
    usageHour = try hour(raw.usage_hour, "usage_hour")
    limit = raw.limit
  }

  package func fill(_ raw: inout Stackmeter__V1__FindUsageRequest, _ packer: borrowing Packer) {
    raw.from_position = positions.lowerBound
    raw.to_position = positions.upperBound
    raw.journal_id = journalID
    raw.subscription = packer.arena.text(subscription)
    raw.meter = packer.arena.text(meter)
    raw.resource_uri = packer.arena.text(resourceURI ?? "")
    raw.usage_hour = usageHour.index
    raw.limit = limit
  }
}

/// What was found.
package struct FindUsageResponse: WireMessage, Hashable {
  package var usage: [JournaledUsage]
  /// Nothing before it is missing.
  package var nextPosition: UInt64

  package init(usage: [JournaledUsage], nextPosition: UInt64) {
    self.usage = usage
    self.nextPosition = nextPosition
  }

  package init(wire raw: borrowing Stackmeter__V1__FindUsageResponse) throws(WireError) {
    nextPosition = raw.next_position
    usage = try elements(raw.usage, raw.n_usage) { (raw) throws(WireError) in
      try JournaledUsage(wire: raw)
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__FindUsageResponse, _ packer: borrowing Packer) {
    raw.next_position = nextPosition
    raw.n_usage = usage.count
    raw.usage = packer.arena.messages(usage) {
      (usage, raw: inout Stackmeter__V1__JournaledUsage) in usage.fill(&raw, packer)
    }
  }
}

extension JournaledUsage {
  init(wire raw: borrowing Stackmeter__V1__JournaledUsage) throws(WireError) {
    guard let event = raw.event else { throw .invalidField(field: "event", problem: "is missing") }
    self.init(
      position: raw.position, reportedTime: Instant(nanoseconds: raw.reported_time),
      event: try UsageEvent(wire: event.pointee),
      takesBack: raw.takes_back != 0 ? raw.corrected_position : nil,
      counts: raw.counts != 0 ? try Quantity(wire: raw.declared) : nil)
  }

  func fill(_ raw: inout Stackmeter__V1__JournaledUsage, _ packer: borrowing Packer) {
    raw.position = position
    raw.reported_time = reportedTime.nanoseconds
    raw.event = packer.arena.message { event.fill(&$0, packer.arena) }
    raw.takes_back = takesBack == nil ? 0 : 1
    raw.corrected_position = takesBack ?? 0
    raw.counts = counts == nil ? 0 : 1
    if let counts { raw.declared = counts.wire(packer.arena) }
  }
}
