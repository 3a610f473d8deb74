package import CStackmeterProto
package import StackmeterCore

/// `Query.ListUsage`: usage aggregates by reported or by usage time.
package struct ListUsageRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000
  /// How many names one list of a question may have: subscriptions, meters, locations, …
  package static let filterMax = 1000

  package var caller: Caller
  package var axis: TimeAxis
  /// Reporting windows, or usage hours by usage time; whole periods of the granularity.
  package var windows: Range<Hour>
  package var granularity: Granularity
  /// Empty for all that the caller may see.
  package var subscriptions: [String]
  package var meters: [String]
  package var series: SeriesSelection
  /// Only windows before it count; nil for all.
  package var asOf: Hour?
  /// 0 for the most.
  package var pageSize: UInt32
  /// Empty for the first page.
  package var pageToken: String
  /// Sums over all resources and all windows of the question.
  package var withoutResources: Bool

  package init(
    caller: Caller, axis: TimeAxis = .reported, windows: Range<Hour>, granularity: Granularity,
    subscriptions: [String] = [], meters: [String] = [], series: SeriesSelection = .all,
    asOf: Hour? = nil, pageSize: UInt32 = 0, pageToken: String = "", withoutResources: Bool = false
  ) {
    self.caller = caller
    self.axis = axis
    self.windows = windows
    self.granularity = granularity
    self.subscriptions = subscriptions
    self.meters = meters
    self.series = series
    self.asOf = asOf
    self.pageSize = pageSize
    self.pageToken = pageToken
    self.withoutResources = withoutResources
  }

  package init(wire raw: borrowing Stackmeter__V1__ListUsageRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
    axis = try TimeAxis(wire: raw.axis) ?? .reported
    windows = try hours(from: raw.from_window, to: raw.to_window, "from_window", "to_window")
    guard let granularity = try Granularity(wire: raw.granularity) else {
      throw .invalidField(
        field: "granularity",
        problem: "is needed: GRANULARITY_HOURLY, GRANULARITY_DAILY or GRANULARITY_MONTHLY")
    }
    self.granularity = granularity
    subscriptions = try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions")
      .map(\.asciiLowercased)
    meters = try filter(raw.meters, raw.n_meters, "meters")
    series = try SeriesSelection(wire: raw.selection)
    asOf = raw.as_of_window == 0 ? nil : try hour(raw.as_of_window, "as_of_window")
    pageSize = raw.page_size
    pageToken = text(raw.page_token)
    withoutResources = raw.without_resources != 0
  }

  package func fill(_ raw: inout Stackmeter__V1__ListUsageRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    // What needs no newer field has none.
    if axis != .reported { raw.axis = axis.wire }
    raw.from_window = windows.lowerBound.index
    raw.to_window = windows.upperBound.index
    raw.granularity = granularity.wire
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.n_meters = meters.count
    raw.meters = packer.arena.texts(meters)
    raw.selection = series.wire(packer.arena)
    raw.as_of_window = asOf?.index ?? 0
    raw.page_size = pageSize
    raw.page_token = packer.arena.text(pageToken)
    raw.without_resources = withoutResources ? 1 : 0
  }
}

/// Hours since the epoch that mean a time: up to the year 9999.
private let hourIndexMax: Int64 = 70_389_528

/// A half-open range of hours from outside.
func hours(
  from: Int64, to: Int64, _ fromField: String, _ toField: String
) throws(WireError) -> Range<Hour> {
  for (index, field) in [(from, fromField), (to, toField)]
  where !(0...hourIndexMax).contains(index) {
    throw .invalidField(
      field: field, problem: "is \(index); hours since 1970 from 0 to \(hourIndexMax) are taken")
  }
  guard from <= to else {
    throw .invalidField(field: toField, problem: "is before \(fromField)")
  }
  return Hour(index: from)..<Hour(index: to)
}

/// One hour from outside.
func hour(_ index: Int64, _ field: String) throws(WireError) -> Hour {
  guard (0...hourIndexMax).contains(index) else {
    throw .invalidField(
      field: field, problem: "is \(index); hours since 1970 from 0 to \(hourIndexMax) are taken")
  }
  return Hour(index: index)
}

/// Names to filter by.
func filter(
  _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int, _ field: String
) throws(WireError) -> [String] {
  guard count <= ListUsageRequest.filterMax else {
    throw .invalidField(
      field: field, problem: "has \(count) names; at most \(ListUsageRequest.filterMax) are taken")
  }
  return texts(pointer, count)
}

/// A page of usage aggregates.
package struct ListUsageResponse: WireMessage, Hashable {
  package var aggregates: [UsageAggregate]
  /// Empty on the last page.
  package var nextPageToken: String
  /// The sources that usage of the question still waits for.
  package var missing: MissingSources
  /// All windows before it are closed.
  package var openWindow: Hour

  package init(
    aggregates: [UsageAggregate], nextPageToken: String, missing: MissingSources = .none,
    openWindow: Hour = Hour(index: 0)
  ) {
    self.aggregates = aggregates
    self.nextPageToken = nextPageToken
    self.missing = missing
    self.openWindow = openWindow
  }

  package init(wire raw: borrowing Stackmeter__V1__ListUsageResponse) throws(WireError) {
    nextPageToken = text(raw.next_page_token)
    missing = MissingSources(wire: raw.missing)
    openWindow = Hour(index: raw.open_window)
    let series = try elements(raw.series, raw.n_series) { (raw) throws(WireError) in
      try Series(wire: raw)
    }
    aggregates = try elements(raw.aggregates, raw.n_aggregates) { (raw) throws(WireError) in
      guard raw.series < series.count else {
        throw .invalidField(
          field: "aggregates.series",
          problem: "is \(raw.series), but the answer has \(series.count) series")
      }
      return UsageAggregate(
        series: series[Int(raw.series)],
        usageStart: Instant(nanoseconds: raw.usage_start),
        usageEnd: Instant(nanoseconds: raw.usage_end), quantity: try Quantity(wire: raw.quantity),
        window: Hour(index: raw.window), isProvisional: raw.provisional != 0,
        isFinal: raw.final != 0, cell: nonEmptyText(raw.cell), id: text(raw.id))
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__ListUsageResponse, _ packer: borrowing Packer) {
    raw.next_page_token = packer.arena.text(nextPageToken)
    raw.missing = missing.wire(packer.arena)
    raw.open_window = openWindow.index
    var numbers: [Series: UInt32] = [:]
    var series: [Series] = []
    for aggregate in aggregates where numbers[aggregate.series] == nil {
      numbers[aggregate.series] = UInt32(series.count)
      series.append(aggregate.series)
    }
    raw.n_series = series.count
    raw.series = packer.arena.messages(series) {
      (series, raw: inout Stackmeter__V1__Series) in series.fill(&raw, packer.arena)
    }
    raw.n_aggregates = aggregates.count
    raw.aggregates = packer.arena.messages(aggregates) {
      (aggregate, raw: inout Stackmeter__V1__UsageAggregate) in
      raw.series = numbers[aggregate.series] ?? 0
      raw.usage_start = aggregate.usageStart.nanoseconds
      raw.usage_end = aggregate.usageEnd.nanoseconds
      raw.quantity = aggregate.quantity.wire(packer.arena)
      raw.window = aggregate.window.index
      raw.provisional = aggregate.isProvisional ? 1 : 0
      raw.final = aggregate.isFinal ? 1 : 0
      if let cell = aggregate.cell { raw.cell = packer.arena.text(cell) }
      raw.id = packer.arena.text(aggregate.id)
    }
  }
}
