internal import CollectorClient
internal import GRPCCore
internal import StackmeterCore
internal import StackmeterWire

/// Some entries of the quarantine, and whether there are others.
struct QuarantineListing {
  private(set) var entries: [QuarantineEntry] = []
  private(set) var hasMore = false

  init(entries: [QuarantineEntry], hasMore: Bool) {
    self.entries = entries
    self.hasMore = hasMore
  }

  /// Asks for page after page until there are `countMax` entries, or no more.
  init(
    _ collector: CollectorClient, _ filter: QuarantineFilter, includeResolved: Bool,
    after number: UInt64, countMax: Int
  ) async throws(RPCError) {
    var request = ListQuarantineRequest(
      afterNumber: number, pageSize: 0, filter: filter, includeResolved: includeResolved)
    repeat {
      request.pageSize = UInt32(
        min(countMax - entries.count, ListQuarantineRequest.pageSizeMax))
      let page = try await collector.listQuarantine(request)
      entries += page.entries
      hasMore = page.more
      request.afterNumber = page.lastNumber
    } while hasMore && entries.count < countMax
  }

  /// How many open entries match.
  static func count(
    _ collector: CollectorClient, _ filter: QuarantineFilter
  ) async throws(RPCError) -> Int {
    var count = 0
    var request = ListQuarantineRequest(
      afterNumber: 0, pageSize: UInt32(ListQuarantineRequest.pageSizeMax), filter: filter)
    while true {
      let page = try await collector.listQuarantine(request)
      count += page.entries.count
      guard page.more else { return count }
      request.afterNumber = page.lastNumber
    }
  }

  func table(withState: Bool) -> String {
    guard !entries.isEmpty else {
      return withState ? "nothing is in quarantine\n" : "nothing in quarantine is open\n"
    }
    var table = Table(
      [
        .init("NUMBER", .decimal), .init("REFUSED"), .init("REASON"), .init("SOURCE"),
        .init("SUBSCRIPTION"), .init("METER"), .init("EVENT"),
      ] + (withState ? [.init("STATE")] : []))
    for entry in entries {
      let series = entry.event.series
      table.append(
        [
          "\(entry.number)", entry.refusedTime.description, entry.refusal.reason.name,
          entry.event.source, series.subscription, series.meter, entry.event.id,
        ] + (withState ? [QuarantineText(entry).state] : []))
    }
    let more =
      hasMore
      ? "there are more; list them with --after \(entries[entries.count - 1].number), or more with --limit\n"
      : ""
    return table.lines().joined(separator: "\n") + "\n" + more
  }

  func jsonLines() -> [UInt8] {
    entries.flatMap { QuarantineText($0).json() }
  }
}

/// One entry, for people and for programs.
struct QuarantineText {
  let entry: QuarantineEntry

  init(_ entry: QuarantineEntry) {
    self.entry = entry
  }

  /// In words; whoever looks for the event finds its position here.
  var state: String {
    switch entry.resolution?.outcome {
    case nil: "open"
    case .redriven(let position): "redriven, position \(position)"
    case .discarded: "discarded"
    }
  }

  func text() -> String {
    let (event, resource) = (entry.event, entry.event.series.resource)
    var lines = [
      ("entry", "\(entry.number)"),
      ("state", state + (entry.resolution.map { ", \($0.time)" } ?? "")),
      ("refused", entry.refusedTime.description), ("reason", entry.refusal.reason.name),
      ("field", entry.refusal.field), ("message", entry.refusal.message), ("event", event.id),
      ("source", event.source), ("subscription", event.series.subscription),
      ("meter", event.series.meter), ("from", event.usageStart.description),
      ("to", event.usageEnd.description), ("quantity", event.quantity.description),
      ("resource", resource.uri),
    ]
    if !resource.location.isEmpty { lines.append(("location", resource.location)) }
    for tag in resource.tagMembers { lines.append(("tag", "\(tag.name) = \(tag.value)")) }
    if !resource.additionalInfo.isEmpty { lines.append(("info", resource.additionalInfo)) }
    return lines.map { label, value in
      label + String(repeating: " ", count: 14 - label.count)
        + terminalText(value).replacing("\n", with: "\u{FFFD}") + "\n"
    }.joined()
  }

  /// One line. Quantities are strings: a JSON number is a float in most readers.
  func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in writer.members(of: entry) }
    return writer.bytes + [UInt8(ascii: "\n")]
  }
}
