package import StackmeterCore

/// All versions of one rate card, by the days that they take effect on.
package struct RateBook: Hashable, Sendable {
  /// At least one; each takes effect after the one before and has a greater number.
  package let versions: [RateCard]

  package init(_ cards: [RateCard]) throws(RateBookError) {
    guard let first = cards.first else { throw RateBookError(problems: ["there is no version"]) }
    var problems: [String] = []
    if cards.count > RateCardLimits.versionsMax {
      problems.append("at most \(RateCardLimits.versionsMax) versions are taken")
    }
    let versions = cards.sorted {
      $0.effective != $1.effective ? $0.effective < $1.effective : $0.version < $1.version
    }
    for (earlier, later) in zip(versions, versions.dropFirst()) {
      if earlier.effective == later.effective {
        problems.append(
          "versions \(earlier.version) and \(later.version) both take effect on \(later.effective): give the later one "
            + "another day")
      } else if earlier.version >= later.version {
        problems.append(
          "version \(later.version) takes effect on \(later.effective), after version \(earlier.version): its number "
            + "must be greater")
      }
    }
    for card in versions {
      if card.name != first.name {
        problems.append("\(card.name) is another card than \(first.name)")
      }
      if card.currency != first.currency {
        problems.append(
          "version \(card.version) is in \(card.currency.code), version \(first.version) in \(first.currency.code): "
            + "another currency is another card")
      }
    }
    guard problems.isEmpty else { throw RateBookError(problems: problems) }
    self.versions = versions
  }

  package var name: String { versions[0].name }
  package var currency: Currency { versions[0].currency }

  /// The index of the version that holds on `day`; nil before the first.
  package func index(on day: Day) -> Int? {
    var low = 0
    var high = versions.count
    while low < high {
      let middle = (low + high) / 2
      if versions[middle].effective <= day { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : low - 1
  }

  /// The version that holds on `day`; nil before the first.
  package func version(on day: Day) -> RateCard? {
    index(on: day).map { versions[$0] }
  }

  /// The versions that hold on some day of a billing period, the earliest first.
  package func indices(in period: BillingPeriod) -> Range<Int> {
    guard let last = index(on: Day(index: period.end.index - 1)) else { return 0..<0 }
    return (index(on: period.start) ?? 0)..<(last + 1)
  }
}

/// Why versions do not make one card: all reasons at once.
package struct RateBookError: Error, Equatable, CustomStringConvertible {
  package let problems: [String]

  package var description: String { problems.joined(separator: "; ") }
}

/// What a statement is about: a calendar month of UTC.
package struct BillingPeriod: Hashable, Sendable, Comparable {
  package let year: Int
  package let month: Int

  /// The month that contains a day.
  package init(containing day: Day) {
    let date = CivilDate(day)
    year = date.year
    month = date.month
  }

  /// Reads `2026-11`.
  package init?(parsing text: some StringProtocol) {
    guard text.utf8.count == 7, let day = Day(parsing: "\(text)-01") else { return nil }
    self.init(containing: day)
  }

  package var start: Day { CivilDate(year: year, month: month, day: 1)!.date }
  /// The first day of the next period.
  package var end: Day { next.start }

  package var next: BillingPeriod {
    BillingPeriod(year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1)
  }

  private init(year: Int, month: Int) {
    self.year = year
    self.month = month
  }

  package func contains(_ day: Day) -> Bool { start <= day && day < end }

  package static func < (left: BillingPeriod, right: BillingPeriod) -> Bool {
    (left.year, left.month) < (right.year, right.month)
  }
}

extension BillingPeriod: CustomStringConvertible {
  /// `2026-11`.
  package var description: String { String(start.description.dropLast(3)) }
}
