internal import StackmeterCore

/// Totals by usage time as text: a table for people, exact JSON and CSV for programs.
struct UsageSummary {
  let period: UsagePeriod
  let byDay: Bool
  let bySubscription: Bool
  let totals: [UsageTotal]
  let meters: MeterNames
  /// The sources that the totals still wait for.
  var missing = MissingSources.none
  var subscriptions = SubscriptionNames()

  /// What the marks on quantities mean, below every table that has one.
  static let provisionalNote = "* provisional: part of it was reported in the open window"

  /// `digits` rounds the figures, which the title then says; nil shows every digit.
  func table(digits: Int?) -> String {
    guard !totals.isEmpty else { return "no usage of \(period.title) (UTC)\n" }
    var columns: [Table.Column] = []
    if byDay { columns.append(.init("DAY")) }
    if bySubscription { columns.append(.init("SUBSCRIPTION")) }
    columns += [.init("METER"), quantityColumn(digits: digits), .init("UNIT")]
    var table = Table(columns)
    for total in totals {
      var cells: [String] = []
      if byDay { cells.append(total.day?.description ?? "") }
      if bySubscription { cells.append(subscriptions.label(total.subscription ?? "")) }
      cells += [
        meters.name(total.meter),
        quantityCell(total.quantity, isProvisional: total.isProvisional, digits: digits),
        meters.unit(total.meter),
      ]
      table.append(cells)
    }
    var lines = ["usage of \(period.title) (UTC)"] + table.lines()
    if totals.contains(where: \.isProvisional) { lines.append(UsageSummary.provisionalNote) }
    if let note = estimatedNote(missing) { lines.append(note) }
    return lines.joined(separator: "\n") + "\n"
  }

  /// One object; quantities are exact decimals in strings, as in the native API, so that no reader of JSON
  /// rounds them.
  func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("from", string: period.hours.lowerBound.description)
      writer.member("to", string: period.hours.upperBound.description)
      writer.member(
        "totals",
        array: { writer in
          for total in totals {
            writer.object { writer in
              if let day = total.day { writer.member("day", string: day.description) }
              if let subscription = total.subscription {
                writer.member("subscription", string: subscription)
                writer.member("subscriptionName", string: subscriptions[subscription])
              }
              writer.member("meter", string: total.meter)
              writer.member("meterName", string: meters.name(total.meter))
              writer.member("quantity", string: total.quantity.description)
              writer.member("unit", string: meters.unit(total.meter))
              writer.member("provisional", total.isProvisional)
              writer.member("final", total.isFinal)
            }
          }
        })
      writer.member(missing: missing)
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  /// A title row, then one row for each total; quantities are exact.
  func csv() -> [UInt8] {
    var writer = CSVWriter()
    let names = ["meter", "meterName", "quantity", "unit", "provisional", "final"]
    writer.row(
      ((byDay ? ["day"] : []) + (bySubscription ? ["subscription"] : []) + names)
        .map { .literal($0) })
    for total in totals {
      var cells: [CSVWriter.Cell] = []
      if byDay { cells.append(.literal(total.day?.description ?? "")) }
      if bySubscription { cells.append(.text(total.subscription ?? "")) }
      cells += [
        .text(total.meter), .text(meters.name(total.meter)),
        .literal(total.quantity.description), .text(meters.unit(total.meter)),
        .literal(total.isProvisional ? "true" : "false"),
        .literal(total.isFinal ? "true" : "false"),
      ]
      writer.row(cells)
    }
    return writer.bytes
  }
}

/// The column of quantities; the title says where they are rounded.
func quantityColumn(digits: Int?) -> Table.Column {
  .init(digits == nil ? "QUANTITY" : "≈ QUANTITY", .decimal)
}

/// A quantity in a table, marked where it may still grow.
func quantityCell(_ quantity: Quantity, isProvisional: Bool, digits: Int?) -> String {
  let figure = digits.map { quantity.rounded(digits: $0) } ?? quantity.description
  return isProvisional ? figure + "*" : figure
}

extension JSONWriter {
  /// The sources that an answer still waits for, where there are any.
  mutating func member(missing: MissingSources) {
    guard !missing.isEmpty else { return }
    member(
      "missingSources",
      object: { writer in
        writer.member("count", missing.count)
        writer.member(
          "names", array: { writer in for name in missing.names { writer.string(name) } })
      })
  }
}
