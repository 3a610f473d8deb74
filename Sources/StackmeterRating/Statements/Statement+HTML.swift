internal import StackmeterCore

extension Statement {
  /// The statement as a page of its own, to be read in a browser and printed on A4: no script, nothing that is loaded
  /// from elsewhere, all texts escaped.
  ///
  /// - Parameter issuer: The operator, by the name that finance knows; empty for none.
  package func html(issuer: String = "") -> String {
    var writer = HTMLWriter()
    writer.element("head") { writer in
      writer.raw(#"<meta charset="utf-8">"#)
      writer.raw(#"<meta name="viewport" content="width=device-width, initial-scale=1">"#)
      writer.raw(
        #"<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"#
      )
      writer.words("title", "\(heading) – \(subscription.id) – \(period)")
      writer.element("style") { $0.raw(Statement.style) }
    }
    writer.element("body") { writer in
      head(&writer, issuer)
      for part in parts { table(part, &writer) }
      sum(&writer)
      if !unrated.isEmpty { unpriced(&writer) }
      notes(&writer)
    }
    return writer.text + "</html>\n"
  }

  private var heading: String {
    number.map { "Statement \($0)" } ?? (isProvisional ? "Provisional draft" : "Draft")
  }

  private func head(_ writer: inout HTMLWriter, _ issuer: String) {
    if !issuer.isEmpty { writer.foreign("p", class: "issuer", issuer) }
    writer.words("h1", heading)
    if isProvisional {
      writer.words(
        "p", class: "warning", "Some of it may still change. This is no demand for payment.")
    }
    let last = Day(index: period.end.index - 1)
    writer.element("dl") { writer in
      for (name, value) in [
        ("Subscription", subscription.id), ("Name", subscription.displayName),
        ("Owner", subscription.owner), ("Cost center", subscription.costCenter),
        ("Period", "\(period.start) to \(last), UTC"), ("Currency", currency.code),
      ] where !value.isEmpty {
        writer.words("dt", name)
        writer.foreign("dd", value)
      }
    }
  }

  // The tables.

  /// Lines that stand in one table, which has only the columns that they need.
  private struct Part {
    let title: String
    let lines: [StatementLine]
    /// Each line names the day or the period of its usage.
    var namesDays = false

    var hasPrices: Bool { lines.contains { $0.kind == .usage } }
    var hasListPrices: Bool { lines.contains { $0.listPrice != $0.price } }
    /// The columns between description and amount.
    var figures: Int { hasPrices ? hasListPrices ? 4 : 3 : 0 }
  }

  private var parts: [Part] {
    let own = lines.filter { $0.period == period }
    let priced: Set<StatementLine.Kind> = [.usage, .minimum]
    return [
      Part(title: "Usage", lines: own.filter { priced.contains($0.kind) }),
      Part(
        title: "Other charges",
        lines: own.filter { !priced.contains($0.kind) && $0.kind != .credit }),
      Part(
        title: "Adjustments of closed periods", lines: lines.filter { $0.period != period },
        namesDays: true),
      Part(title: "Credits", lines: own.filter { $0.kind == .credit }),
    ].filter { !$0.lines.isEmpty }
  }

  private func table(_ part: Part, _ writer: inout HTMLWriter) {
    writer.words("h2", part.title)
    writer.element("table") { writer in
      writer.element("thead") { writer in
        writer.element("tr") { writer in
          if part.namesDays { writer.words("th", "Usage of") }
          writer.words("th", class: "wide", "Description")
          if part.hasPrices {
            writer.words("th", class: "figure", "Quantity")
            writer.words("th", class: "unit", "Unit")
            if part.hasListPrices { writer.words("th", class: "figure", "List price") }
            writer.words("th", class: "figure", "Price")
          }
          writer.words("th", class: "figure", currency.code)
        }
      }
      writer.element("tbody") { writer in
        for line in part.lines {
          writer.element("tr") { writer in
            if part.namesDays {
              writer.words("td", class: "day", line.day.map { "\($0)" } ?? "\(line.period)")
            }
            cells(line, of: part, &writer)
          }
        }
      }
      writer.element("tfoot") { writer in
        writer.element("tr") { writer in
          writer.words(
            "td", span: part.figures + (part.namesDays ? 2 : 1), "\(part.title) together")
          writer.words("td", class: "figure", amountText(part.lines))
        }
      }
    }
  }

  private func cells(_ line: StatementLine, of part: Part, _ writer: inout HTMLWriter) {
    if line.kind == .usage, let rate = line.rate {
      writer.foreign("td", class: "wide", line.label)
      writer.words("td", class: "figure", line.quantityText)
      writer.foreign("td", class: "unit", rate.unit)
      if part.hasListPrices {
        let isOther = line.listPrice != line.price
        writer.words(
          "td", class: "figure", isOther ? line.priceText(line.listPrice, rate) : "")
      }
      writer.words("td", class: "figure", line.priceText(line.price, rate))
    } else {
      writer.foreign("td", class: "wide", span: part.figures + 1, line.title)
    }
    writer.words("td", class: "figure", line.amount.amountText)
  }

  /// The sum of some lines.
  private func amountText(_ lines: [StatementLine]) -> String {
    var sum = Money.zero(currency)
    for line in lines {
      guard let more = try? sum.adding(line.amount) else { return "does not fit" }
      sum = more
    }
    return sum.amountText
  }

  private func sum(_ writer: inout HTMLWriter) {
    writer.element("table", class: "total") { writer in
      writer.element("tr") { writer in
        writer.words("th", "Total \(currency.code)")
        writer.words("td", class: "figure", total?.amountText ?? "does not fit")
      }
    }
  }

  private func unpriced(_ writer: inout HTMLWriter) {
    writer.words("h2", "Usage without a price")
    writer.words("p", "No part of the total: the rate card has no price for it.")
    writer.element("table") { writer in
      writer.element("thead") { writer in
        writer.element("tr") { writer in
          writer.words("th", "Usage of")
          writer.words("th", class: "wide", "Meter")
          writer.words("th", class: "figure", "Quantity")
        }
      }
      writer.element("tbody") { writer in
        for unrated in unrated {
          writer.element("tr") { writer in
            writer.words("td", class: "day", unrated.period.description)
            writer.foreign("td", class: "wide", unrated.meter)
            writer.words("td", class: "figure", unrated.quantity.description)
          }
        }
      }
    }
  }

  private func notes(_ writer: inout HTMLWriter) {
    writer.element("footer") { writer in
      if !cards.isEmpty {
        writer.foreign("p", "Priced by \(cards.map { "rate card \($0)" }.joined(separator: ", ")).")
      }
      writer.words(
        "p",
        "Each line is rounded once, \(rounding.words); the total is the sum of the lines. Prices are for one unit "
          + "where nothing else is said. Days and periods are those of UTC.")
      if !taxNote.isEmpty { writer.foreign("p", taxNote) }
    }
  }

  private static let style = """
    @page { size: A4; margin: 18mm 16mm; }
    * { box-sizing: border-box; }
    body { margin: 0 auto; padding: 2rem 1rem; max-width: 52rem; color: #1a1a1a; background: #fff;
      font: 0.875rem/1.45 "Liberation Sans", Arial, Helvetica, sans-serif; }
    h1 { font-size: 1.5rem; margin: 0 0 1rem; }
    h2 { font-size: 1rem; margin: 1.75rem 0 0.5rem; break-after: avoid; }
    .issuer { margin: 0 0 1.5rem; color: #555; }
    .warning { border: 1px solid #b45309; padding: 0.5rem 0.75rem; color: #7c3a06; }
    dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1.25rem; margin: 0; }
    dt { color: #555; }
    dd { margin: 0; overflow-wrap: anywhere; }
    table { width: 100%; border-collapse: collapse; }
    tr { break-inside: avoid; }
    th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem 0.3rem 0; }
    thead th { border-bottom: 1px solid #1a1a1a; font-weight: 600; }
    tbody td { border-bottom: 1px solid #ddd; }
    tfoot td { font-weight: 600; }
    tfoot { display: table-row-group; }
    .wide { width: 34%; overflow-wrap: anywhere; }
    .day { white-space: nowrap; }
    .figure { text-align: right; font-variant-numeric: tabular-nums; padding-right: 0; padding-left: 0.6rem; }
    .unit { padding-left: 0.4rem; }
    td.figure:last-child { white-space: nowrap; }
    .total { margin-top: 1.75rem; border-top: 2px solid #1a1a1a; font-size: 1.125rem; break-inside: avoid; }
    .total td { font-weight: 700; border: 0; }
    footer { margin-top: 2rem; color: #555; font-size: 0.8125rem; break-inside: avoid; }
    footer p { margin: 0 0 0.35rem; }
    @media print { body { max-width: none; padding: 0; } }
    """
}

extension Rounding {
  /// To follow `rounded once, `.
  fileprivate var words: String {
    switch self {
    case .halfAwayFromZero: "to the nearest, a half away from zero"
    case .halfEven: "to the nearest, a half to the even neighbour"
    case .halfTowardZero: "to the nearest, a half toward zero"
    case .awayFromZero: "always away from zero"
    case .towardZero: "always toward zero"
    }
  }
}
