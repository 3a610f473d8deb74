internal import StackmeterCore

/// Takes rate cards, what was written down, statements and alerts over from another database: no journal has them.
///
/// What is there already stays, so that it goes on where it was interrupted; more than one cell may do it.
package struct BillingCopy {
  private static let statementsPerRead = 20

  package let cards: Int
  package let statements: Int

  package init(
    from old: any UsageReader, to store: any UsageStore, _ new: any UsageReader
  ) throws(StoreError) {
    var counts = (cards: 0, statements: 0)
    // Versions that take effect in a period come before its statements in the old database, and so they do here.
    let known = Set(try new.rateCards(named: nil))
    for card in try old.rateCards(named: nil) where !known.contains(card) {
      guard let text = try old.rateCardText(card.name, card.version) else { continue }
      try store.put(rateCard: card, text: text)
      counts.cards += 1
    }
    let postings = Set(try new.postings(of: nil, usedBefore: nil).map(\.posting))
    for (posting, _) in try old.postings(of: nil, usedBefore: nil)
    where !postings.contains(posting) {
      _ = try store.put(postings: [posting])
    }
    var place: StatementPlace?
    while true {
      let page = try old.statements(
        StatementFilter(), after: place, limit: BillingCopy.statementsPerRead)
      guard let last = page.last else { break }
      var missing: [NewStatement] = []
      for entry in page where try new.statement(entry.place) == nil {
        guard let found = try old.statement(entry.place) else { continue }
        missing.append(
          NewStatement(
            entry, document: found.document,
            states: try old.ratedStates(
              of: entry.subscription, ofStatementOf: entry.period.lowerBound),
            uses: try old.uses(entry.place)))
      }
      if !missing.isEmpty { try store.put(statements: missing) }
      counts.statements += missing.count
      place = last.place
    }
    _ = try store.put(budgets: [], of: [], alerts: try old.alerts(of: nil))
    (cards, statements) = counts
  }
}
