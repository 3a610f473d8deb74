internal import StackmeterCore
internal import StackmeterStore
package import StackmeterWire

extension Query {
  package func summarize(
    _ request: SummarizeRequest
  ) async throws(QueryError) -> SummarizeResponse {
    try Query.check(request)
    let filter = try await filter(
      request.caller, request.subscriptions, request.meters, request.series)
    let limit =
      request.top == 0 ? SummarizeResponse.totalsMax : SummarizeResponse.candidatesMax
    let (completeness, problem, found) = try await readers.read { (reader) throws(StoreError) in
      let completeness = try reader.completeness()
      let problem = Query.problem(asOf: request.asOf, completeness.openWindow)
      guard let filter, problem == nil else { return (completeness, problem, [UsageTotal]()) }
      let scan = TotalsScan(
        axis: request.axis, hours: request.hours, groupings: request.groupings, filter: filter,
        asOf: request.asOf)
      return (completeness, problem, try reader.totals(scan, limit: limit + 1))
    }
    if let problem { throw problem }
    guard found.count <= limit else {
      throw .tooWide(
        "\(request.top == 0 ? "the answer" : "what the top groups are chosen from") has more than "
          + "\(limit) totals; ask for a shorter time, by fewer groups, or for fewer subscriptions "
          + "or meters")
    }
    let totals =
      request.top == 0 ? found : try TopTotals(found, by: request.groupings, Int(request.top)).all
    guard totals.count <= SummarizeResponse.totalsMax else {
      throw .tooWide(
        "the answer has more than \(SummarizeResponse.totalsMax) totals; ask for fewer top groups "
          + "or longer periods")
    }
    let isLasting = request.asOf != nil
    return SummarizeResponse(
      totals: isLasting ? totals : totals.map { completeness.marked($0, of: request) },
      missing: isLasting || filter == nil
        ? .none : completeness.missing(until: request.hours.upperBound.start, for: request.caller),
      openWindow: completeness.openWindow)
  }

  private static func check(_ request: SummarizeRequest) throws(QueryError) {
    let groupings = request.groupings
    guard groupings.count <= Grouping.countMax, Set(groupings).count == groupings.count else {
      throw .invalid(field: "groupings", problem: "at most \(Grouping.countMax), each once")
    }
    guard groupings.count(where: { $0.granularity != nil }) <= 1 else {
      throw .invalid(field: "groupings", problem: "at most one of hour, day and month")
    }
    guard request.asOf == nil || !groupings.contains(where: \.isOfDirectory) else {
      throw .invalid(
        field: "groupings",
        problem: "the directory has no past: not by owner, cost center or tags of subscriptions "
          + "as of an instant")
    }
    guard request.top <= SummarizeRequest.topMax else {
      throw .invalid(field: "top", problem: "at most \(SummarizeRequest.topMax)")
    }
    guard request.top == 0 || groupings.contains(where: { $0.granularity == nil }) else {
      throw .invalid(field: "top", problem: "needs a grouping that is no time")
    }
  }
}

extension Completeness {
  /// A total speaks of its period, or of all the hours of the question.
  func marked(_ total: UsageTotal, of request: SummarizeRequest) -> UsageTotal {
    var total = total
    var end = request.hours.upperBound.index
    let granularity = request.groupings.lazy.compactMap(\.granularity).first
    if let period = total.period, let granularity {
      end = min(
        end, granularity.hours(ofPeriod: granularity.period(ofHour: period.index)).upperBound)
    }
    total.isFinal = isFinal(
      usageEnd: Hour(index: end).start, isProvisional: total.isProvisional)
    return total
  }
}

/// The groups of each meter with the greatest totals over all periods, and the exact sum of all others.
struct TopTotals {
  private struct Group: Hashable {
    let meter: ExactText
    let values: [ExactText?]

    init(_ total: UsageTotal) {
      meter = ExactText(total.meter)
      values = total.groups.map { $0.map { ExactText($0) } }
    }
  }

  private struct Rest {
    var attos: Int128 = 0
    var isProvisional = false
  }

  private struct RestKey: Hashable {
    let meter: ExactText
    let period: Hour?
  }

  /// By meter; of each meter its groups from the greatest on, and its others last; of each group its periods.
  private(set) var all: [UsageTotal] = []

  /// `totals` are in the order of answers, so equal sums are ranked by it.
  init(_ totals: [UsageTotal], by groupings: [Grouping], _ top: Int) throws(QueryError) {
    var sums: [Group: Int128] = [:]
    var order: [Group] = []
    for total in totals {
      let group = Group(total)
      if sums[group] == nil { order.append(group) }
      sums[group] = try TopTotals.sum(sums[group] ?? 0, total.quantity.attos)
    }
    var byMeter: [ExactText: [Group]] = [:]
    for group in order { byMeter[group.meter, default: []].append(group) }
    var rank: [Group: Int] = [:]
    for groups in byMeter.values {
      let sorted = groups.enumerated().sorted { left, right in
        let (mine, other) = (sums[left.element] ?? 0, sums[right.element] ?? 0)
        return mine == other ? left.offset < right.offset : mine > other
      }
      for (place, group) in sorted.prefix(top).enumerated() { rank[group.element] = place }
    }
    var ranked: [(rank: Int, total: UsageTotal)] = []
    var rests: [RestKey: Rest] = [:]
    for total in totals {
      if let rank = rank[Group(total)] {
        ranked.append((rank, total))
      } else {
        let key = RestKey(meter: ExactText(total.meter), period: total.period)
        var rest = rests[key] ?? Rest()
        rest.attos = try TopTotals.sum(rest.attos, total.quantity.attos)
        rest.isProvisional = rest.isProvisional || total.isProvisional
        rests[key] = rest
      }
    }
    for (key, rest) in rests {
      guard let quantity = Quantity(attos: rest.attos) else { throw TopTotals.overflow }
      ranked.append(
        (
          top,
          UsageTotal(
            by: groupings, period: key.period, groups: [], isOthers: true, meter: key.meter.text,
            quantity: quantity, isProvisional: rest.isProvisional)
        ))
    }
    all = ranked.sorted { left, right in
      if !left.total.meter.hasSameBytes(as: right.total.meter) {
        return left.total.meter.utf8.lexicographicallyPrecedes(right.total.meter.utf8)
      }
      if left.rank != right.rank { return left.rank < right.rank }
      return (left.total.period?.index ?? 0) < (right.total.period?.index ?? 0)
    }.map(\.total)
  }

  private static func sum(_ left: Int128, _ right: Int128) throws(QueryError) -> Int128 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    guard !overflow else { throw TopTotals.overflow }
    return sum
  }

  private static var overflow: QueryError {
    .store(StoreError(.overflow, "a total is too large; ask for a shorter time"))
  }
}
