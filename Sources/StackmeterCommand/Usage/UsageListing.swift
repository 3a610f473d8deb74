internal import StackmeterCore

/// Usage aggregates by reported time as text, page by page, so that a listing of any length needs the memory
/// of one page. A table is the exception: it ends, and says so, after `tableRowsMax` rows.
struct UsageListing {
  static let tableRowsMax = 10_000

  let format: OutputFormat
  let digits: Int?
  let meters: MeterNames
  var subscriptions = SubscriptionNames()
  private var table: Table
  private var isTruncated = false
  private var hasProvisional = false

  init(format: OutputFormat, digits: Int?, meters: MeterNames) {
    self.format = format
    self.digits = digits
    self.meters = meters
    table = Table([
      .init("USAGE START"), .init("USAGE END"), .init("SUBSCRIPTION"), .init("METER"),
      quantityColumn(digits: digits), .init("UNIT"), .init("RESOURCE"),
    ])
  }

  /// Whether more rows would not be shown.
  var isFull: Bool { isTruncated }

  /// What goes before the first page.
  func head() -> [UInt8] {
    guard format == .csv else { return [] }
    var writer = CSVWriter()
    let names = [
      "usageStart", "usageEnd", "subscription", "meter", "meterName", "quantity", "unit",
      "resourceUri", "location", "tags", "additionalInfo", "window", "provisional", "final",
      "cell",
    ]
    writer.row(names.map { .literal($0) })
    return writer.bytes
  }

  /// What one page adds at once; a table is written at the end.
  mutating func page(_ aggregates: [UsageAggregate]) -> [UInt8] {
    switch format {
    case .json: return aggregates.flatMap { json($0) }
    case .csv:
      var writer = CSVWriter()
      for aggregate in aggregates { writer.row(cells(aggregate)) }
      return writer.bytes
    case .table:
      for aggregate in aggregates {
        guard table.rows.count < UsageListing.tableRowsMax else {
          isTruncated = true
          break
        }
        append(aggregate)
      }
      return []
    }
  }

  /// What goes after the last page.
  func tail(_ period: UsagePeriod, missing: MissingSources = .none) -> [UInt8] {
    guard format == .table else { return [] }
    guard !table.rows.isEmpty else {
      return Array("no usage was reported in \(period.title) (UTC)\n".utf8)
    }
    var lines = ["usage reported in \(period.title) (UTC)"] + table.lines()
    if hasProvisional { lines.append(UsageSummary.provisionalNote) }
    if let note = estimatedNote(missing) { lines.append(note) }
    if isTruncated {
      lines.append(
        "… the first \(UsageListing.tableRowsMax) rows; --csv and --json have them all")
    }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  private mutating func append(_ aggregate: UsageAggregate) {
    hasProvisional = hasProvisional || aggregate.isProvisional
    table.append([
      aggregate.usageStart.description, aggregate.usageEnd.description,
      subscriptions.label(aggregate.series.subscription), meters.name(aggregate.series.meter),
      quantityCell(
        aggregate.quantity, isProvisional: aggregate.isProvisional, digits: digits),
      meters.unit(aggregate.series.meter), aggregate.series.resource.uri,
    ])
  }

  /// One line of NDJSON.
  private func json(_ aggregate: UsageAggregate) -> [UInt8] {
    var writer = JSONWriter()
    let resource = aggregate.series.resource
    writer.object { writer in
      writer.member("usageStart", string: aggregate.usageStart.description)
      writer.member("usageEnd", string: aggregate.usageEnd.description)
      writer.member("subscription", string: aggregate.series.subscription)
      writer.member(
        "subscriptionName", string: subscriptions[aggregate.series.subscription])
      writer.member("meter", string: aggregate.series.meter)
      writer.member("meterName", string: meters.name(aggregate.series.meter))
      writer.member("quantity", string: aggregate.quantity.description)
      writer.member("unit", string: meters.unit(aggregate.series.meter))
      writer.member("resourceUri", string: resource.uri)
      writer.member("location", string: resource.location)
      writer.member("tags", raw: resource.tags.isEmpty ? "{}" : resource.tags)
      writer.member("additionalInfo", string: resource.additionalInfo)
      writer.member("window", string: aggregate.window.description)
      writer.member("provisional", aggregate.isProvisional)
      writer.member("final", aggregate.isFinal)
      if let cell = aggregate.cell { writer.member("cell", string: cell) }
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  private func cells(_ aggregate: UsageAggregate) -> [CSVWriter.Cell] {
    let series = aggregate.series
    return [
      .literal(aggregate.usageStart.description), .literal(aggregate.usageEnd.description),
      .text(series.subscription), .text(series.meter), .text(meters.name(series.meter)),
      .literal(aggregate.quantity.description), .text(meters.unit(series.meter)),
      .text(series.resource.uri), .text(series.resource.location), .text(series.resource.tags),
      .text(series.resource.additionalInfo), .literal(aggregate.window.description),
      .literal(aggregate.isProvisional ? "true" : "false"),
      .literal(aggregate.isFinal ? "true" : "false"), .text(aggregate.cell ?? ""),
    ]
  }
}
