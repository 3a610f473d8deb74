/// One thing that is wrong with a rate card: where, what, and what to do.
package struct CardProblem: Hashable, Sendable, Error, CustomStringConvertible {
  package let place: CardPlace
  package let message: String

  init(_ place: CardPlace, _ message: String) {
    self.place = place
    self.message = message
  }

  /// `12:5: …`, to stand behind the name of the file.
  package var description: String { "\(place.line):\(place.column): \(message)" }
}

/// A place in a text; both count from 1, columns in characters.
package struct CardPlace: Hashable, Sendable, Comparable {
  package let line: Int
  package let column: Int

  package static func < (left: CardPlace, right: CardPlace) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}

/// Everything that is wrong with a rate card, in the order of its text.
package struct RateCardError: Error, Equatable, CustomStringConvertible {
  package let problems: [CardProblem]

  init(problems: [CardProblem]) {
    self.problems = Array(
      problems.sorted { $0.place < $1.place }.prefix(RateCardLimits.problemsMax))
  }

  package var description: String {
    problems.map(\.description).joined(separator: "\n")
  }
}
