internal import StackmeterCore

/// The aggregates of the window that is being written, as its one writer knows them: so that the database need not
/// be asked for what was written a moment ago. Part of a transaction: whoever rolls one back forgets all.
struct OpenAggregates {
  /// More are not remembered; each takes about 64 bytes.
  static let entriesMax = 500_000

  private let entriesMax: Int
  private(set) var window: Hour?
  /// Whether the window has no aggregate that is not remembered.
  private var isComplete = false
  private var quantities: [SeriesHour: Quantity] = [:]

  init(entriesMax: Int = OpenAggregates.entriesMax) {
    self.entriesMax = entriesMax
  }

  /// Goes on with another window.
  mutating func begin(_ window: Hour, isEmpty: Bool) {
    self.window = window
    isComplete = isEmpty
    quantities.removeAll(keepingCapacity: true)
  }

  /// Knows of no window.
  mutating func forget() {
    window = nil
    isComplete = false
    quantities.removeAll(keepingCapacity: true)
  }

  /// What the keys hold as far as it is known, and the places of those that the database must be asked for.
  func look(_ keys: [SeriesHour]) -> (known: [Quantity?], missing: [Int]) {
    let known = keys.map { quantities[$0] }
    return (known, isComplete ? [] : known.indices.filter { known[$0] == nil })
  }

  mutating func remember(_ quantity: Quantity, of key: SeriesHour) {
    if quantities.count >= entriesMax {
      quantities.removeAll(keepingCapacity: true)
      isComplete = false
    }
    quantities[key] = quantity
  }
}
