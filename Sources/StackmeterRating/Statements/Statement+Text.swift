internal import StackmeterCore

extension Statement: CustomStringConvertible {
  /// The statement as a text for people: one line for each of its lines, amounts at the end, adjustments under the
  /// period and day of their usage.
  package var description: String {
    let name = subscription.displayName.isEmpty ? "" : " (\(subscription.displayName))"
    var rows: [(text: String, amount: String)] = []
    for line in lines {
      var title = line.title
      if line.period != period {
        title = "adjustment for \(line.day.map { "\($0)" } ?? "\(line.period)"): \(title)"
      }
      rows.append((title, line.amount.amountText))
    }
    rows.append(("total \(currency.code)", total?.amountText ?? "does not fit"))
    let width = rows.map(\.text.count).max() ?? 0
    let amountWidth = rows.map(\.amount.count).max() ?? 0
    var text = [
      "\(number.map { "statement \($0)" } ?? (isProvisional ? "provisional draft" : "draft")) of "
        + "\(subscription.id)\(name) for \(period)"
    ]
    text += rows.map { row in
      "  " + row.text + String(repeating: " ", count: width - row.text.count + 2)
        + String(repeating: " ", count: amountWidth - row.amount.count) + row.amount
    }
    for unrated in unrated {
      let period = unrated.period == period ? "" : " of \(unrated.period)"
      text.append("  no price: \(unrated.meter)\(period): \(unrated.quantity)")
    }
    if !taxNote.isEmpty { text.append("  \(taxNote)") }
    return text.joined(separator: "\n") + "\n"
  }
}
