internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterOData
internal import StackmeterWire

/// Usage by usage time, one row for each series and period, asked for as narrowly as a filter allows.
struct ODataUsage: ODataSource {
  let query: QueryClient
  let meters: MeterNames
  /// When the walk's last period is asked for.
  let now: Instant
  let granularity: Granularity
  let caller: Caller
  let filter: ODataFilter?

  private static let type = ODataEntityType.usage
  /// The end of a walk, in hours: of the last time that usage may have.
  private static let endMax = Instant.accepted.upperBound.hour.index

  /// The token of a page has in front of query's own the end of the walk, in hours: a question of another end would be
  /// another question.
  func rows(after token: String?) async throws -> (rows: [[ODataValue]], next: String?) {
    var end: Hour?
    var pageToken = ""
    if let token {
      let parts = token.split(separator: "-", maxSplits: 1)
      guard parts.count == 2, let index = Int64(parts[0]), (0...ODataUsage.endMax).contains(index),
        granularity.begins(at: Hour(index: index))
      else {
        throw HTTPProblem(
          .badRequest, "InvalidQueryOption", "$skiptoken: is not of this service")
      }
      (end, pageToken) = (Hour(index: index), String(parts[1]))
    }
    guard let question = question(end: end, pageToken: pageToken) else { return ([], nil) }
    let page = try await query.listUsage(question)
    let meters = try await meters.current()
    return (
      page.aggregates.map { Self.row($0, meters) },
      page.nextPageToken.isEmpty
        ? nil : "\(question.windows.upperBound.index)-\(page.nextPageToken)"
    )
  }

  /// Nil where nothing can be in the answer.
  private func question(end: Hour?, pageToken: String) -> ListUsageRequest? {
    guard let hours = hours(end: end) else { return nil }
    // Nil for any; what is more than one question takes is left to the filter.
    func texts(_ name: String) -> [String]?? {
      guard let texts = filter?.texts(of: Self.type.index(of: name)!),
        texts.count <= ListUsageRequest.filterMax
      else { return .some(nil) }
      return texts.isEmpty ? nil : .some(texts.sorted())
    }
    guard let subscriptions = texts("SubscriptionId"), let meters = texts("MeterId"),
      let resources = texts("ResourceUri"), let groups = texts("ResourceGroup"),
      let locations = texts("Location")
    else { return nil }
    // Of others' subscriptions there is nothing to see, as of those that are not there.
    let visible = subscriptions?.filter(caller.maySee)
    if let visible, visible.isEmpty { return nil }
    var selection = SeriesSelection()
    selection.resourceURIs = resources ?? []
    selection.resourceGroups = groups ?? []
    selection.locations = locations ?? []
    return ListUsageRequest(
      caller: caller, axis: .usage, windows: hours, granularity: granularity,
      subscriptions: visible ?? [], meters: meters ?? [], series: selection, asOf: nil,
      pageSize: 0, pageToken: pageToken)
  }

  /// The periods that the filter wants, up to the one that usage may lie in now.
  private func hours(end: Hour?) -> Range<Hour>? {
    let last = (end.map { Hour(index: $0.index - 1) } ?? now.hour.next)
    let all = Instant(nanoseconds: 0)...last.end
    var wanted = all
    if let filter {
      guard let starts = filter.times(of: Self.type.index(of: "UsageStart")!),
        let ends = filter.times(of: Self.type.index(of: "UsageEnd")!)
      else { return nil }
      // A period that ends after an instant has begun before it.
      let lower = max(all.lowerBound, starts.lowerBound)
      let upper = min(all.upperBound, starts.upperBound, ends.upperBound)
      guard lower <= upper else { return nil }
      wanted = lower...upper
    }
    func period(_ hour: Hour, _ offset: Int64) -> Hour {
      Hour(index: granularity.firstHour(ofPeriod: granularity.period(ofHour: hour.index) + offset))
    }
    let from = period(wanted.lowerBound.hour, 0)
    // The end of the walk stays what it was when it began.
    let to = end ?? min(period(wanted.upperBound.hour, 1), period(last, 1))
    return from < to ? from..<to : nil
  }

  private static func row(_ aggregate: UsageAggregate, _ meters: MeterNames.Copy) -> [ODataValue] {
    let series = aggregate.series
    let meter = meters[series.meter]
    return [
      .string(aggregate.id), .string(series.subscription), .string(series.meter),
      meter.map { .string($0.name) } ?? .null, meter.map { .string($0.unit) } ?? .null,
      .string(series.resource.uri),
      series.resource.resourceGroup.map { .string($0) } ?? .null,
      .string(series.resource.location), .string(series.resource.tags),
      .time(aggregate.usageStart), .time(aggregate.usageEnd), .decimal(aggregate.quantity),
      .boolean(aggregate.isProvisional), .boolean(aggregate.isFinal),
    ]
  }
}
