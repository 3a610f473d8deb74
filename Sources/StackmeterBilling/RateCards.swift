package import StackmeterRating
package import StackmeterStore

/// The versions of one rate card that a usage database has.
package struct RateCards: Sendable {
  /// At least one, the earliest first.
  package let versions: [StoredRateCard]
  package let book: RateBook

  /// Reads all versions; nil where there is none. `known` is what was read before: it is not read again where nothing
  /// was added.
  package init?(
    _ name: String, _ reader: any BillingReader, known: RateCards? = nil
  ) throws(StoreError) {
    let versions = try reader.rateCards(named: name)
    if versions.isEmpty { return nil }
    if let known, known.versions == versions {
      self = known
      return
    }
    var cards: [RateCard] = []
    for version in versions {
      guard let text = try reader.rateCardText(name, version.version) else {
        throw RateCards.damaged(version, "it has no text")
      }
      do throws(RateCardError) { cards.append(try RateCard(parsing: text)) } catch {
        throw RateCards.damaged(version, "\(error)")
      }
    }
    self.versions = versions
    do throws(RateBookError) { book = try RateBook(cards) } catch {
      throw RateCards.damaged(versions[0], "\(error)")
    }
  }

  private static func damaged(_ version: StoredRateCard, _ problem: String) -> StoreError {
    StoreError(
      .system,
      "version \(version.version) of the rate card \(version.name) cannot be used: \(problem)")
  }
}
