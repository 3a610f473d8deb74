package import StackmeterCore
package import StackmeterRating
package import StackmeterStore

/// A text that is to become a version of a rate card: what is wrong with it, or what it would change.
package struct RateCardProposal {
  package enum Verdict {
    /// Everything that is wrong.
    case refused([RateCardComplaint])
    /// These bytes are there already.
    case known(StoredRateCard)
    case new(StoredRateCard, RateCard)
  }

  package let verdict: Verdict
  /// What it does differently from the version before, one sentence each.
  package let changes: [String]
  /// The ids of billable meters of the catalog that it has no rate for.
  package let unpriced: [String]

  /// - Parameters:
  ///   - reader: The versions that there are.
  package init(
    _ text: [UInt8], catalog: MeterCatalog, _ reader: any BillingReader
  ) throws(StoreError) {
    let card: RateCard
    do throws(RateCardError) { card = try RateCard(parsing: text, catalog: catalog) } catch {
      (changes, unpriced) = ([], [])
      verdict = .refused(
        error.problems.map {
          RateCardComplaint(line: $0.place.line, column: $0.place.column, message: $0.message)
        })
      return
    }
    unpriced = card.unpriced(in: catalog).map(\.id)
    let stored = StoredRateCard(
      name: card.name, version: Int64(card.version), effective: card.effective,
      currency: card.currency.code, text: text)
    guard let cards = try RateCards(card.name, reader) else {
      (changes, verdict) = ([], .new(stored, card))
      return
    }
    if cards.versions.contains(stored) {
      (changes, verdict) = ([], .known(stored))
      return
    }
    let complaints = RateCardProposal.complaints(
      card, cards, closedUntil: try reader.closedUntil(card: card.name))
    changes = cards.book.versions.last.map { $0.changes(to: card) } ?? []
    verdict =
      complaints.isEmpty
      ? .new(stored, card) : .refused(complaints.map { RateCardComplaint(message: $0) })
  }

  private static func complaints(
    _ card: RateCard, _ cards: RateCards, closedUntil: Day?
  ) -> [String] {
    var complaints: [String] = []
    let last = cards.book.versions[cards.book.versions.count - 1]
    if let same = cards.versions.first(where: { $0.version == card.version }) {
      complaints.append(
        "version \(same.version) of \(same.name) is in force with another text, and a version is never "
          + "altered: give this one the number \(last.version + 1), and a day of its own")
    } else if card.version < last.version {
      complaints.append(
        "version \(last.version) of \(last.name) is there already: give this one a greater number")
    }
    if card.version != last.version, card.effective <= last.effective {
      complaints.append(
        "version \(last.version) of \(last.name) takes effect on \(last.effective), and this one must do so "
          + "later: not on \(card.effective)")
    }
    if let closedUntil, card.effective < closedUntil {
      complaints.append(
        "statements are closed up to \(closedUntil): a version may take effect on that day or later, not on "
          + "\(card.effective)")
    }
    if card.currency != last.currency {
      complaints.append(
        "\(card.name) is in \(last.currency.code), not in \(card.currency.code): another currency is another "
          + "card")
    }
    if cards.versions.count >= RateCardLimits.versionsMax {
      complaints.append(
        "\(card.name) has \(cards.versions.count) versions, and more are not taken: begin a card of another name"
      )
    }
    return complaints
  }
}

/// One thing that is wrong with a card.
package struct RateCardComplaint: Hashable, Sendable {
  /// From 1; 0 where it is of no line.
  package var line = 0
  package var column = 0
  package let message: String

  package init(line: Int = 0, column: Int = 0, message: String) {
    self.line = line
    self.column = column
    self.message = message
  }
}
