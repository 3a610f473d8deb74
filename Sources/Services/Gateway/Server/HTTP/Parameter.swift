/// A parameter of a route's query, declared once: what its handler may read, and what `/openapi.json` says.
struct Parameter: Hashable, Sendable {
  /// What a value may be.
  enum Form: Hashable, Sendable {
    case text
    /// One of these; ASCII case does not matter.
    case choice([String])
    /// Some of these, with commas between them; ASCII case does not matter.
    case choices([String])
    /// The time at which an hour begins, or a date. Where a route counts by days, midnight.
    case hour
    /// A time, or a date.
    case time
    case integer(ClosedRange<Int>)
    /// A whole number of 64 bits that is not negative.
    case number
    /// true or false.
    case flag
  }

  let name: String
  let form: Form
  /// One sentence, for people.
  let summary: String
  /// The most that it may be repeated; 1 where it stands once.
  var countMax = 1
  var isNeeded = false

  init(_ name: String, _ form: Form, _ summary: String, countMax: Int = 1, isNeeded: Bool = false) {
    self.name = name
    self.form = form
    self.summary = summary
    self.countMax = countMax
    self.isNeeded = isNeeded
  }

  var isRepeatable: Bool { countMax > 1 }
}
