internal import StackmeterCore
internal import StackmeterWire

/// Reads the parameters of a native path and gathers what is wrong with them. Names are exact; an empty value
/// is an absent one; a name that nobody knows is a problem, and so is an empty filter, so that neither a misspelled
/// name nor an unset variable of a script ever means everything.
struct ParameterReader {
  private let values: [String: [String]]
  private var problems: [HTTPProblem.Field] = []

  init(_ parameters: QueryParameters, known: Set<String>, repeatable: Set<String> = []) {
    var values: [String: [String]] = [:]
    for item in parameters.items {
      if !known.contains(item.name) {
        problems.append(
          .init(
            field: item.name,
            message: known.isEmpty
              ? "this path takes no parameters"
              : "unknown parameter; known are \(known.sorted().joined(separator: ", "))"))
      }
      if item.value.isEmpty, repeatable.contains(item.name) {
        problems.append(
          .init(field: item.name, message: "must not be empty; leave it out to ask for all"))
      }
      if !item.value.isEmpty { values[item.name, default: []].append(item.value) }
    }
    for (name, all) in values where all.count > 1 && !repeatable.contains(name) {
      problems.append(.init(field: name, message: "stands more than once"))
    }
    for name in repeatable where values[name, default: []].count > ListUsageRequest.filterMax {
      problems.append(
        .init(field: name, message: "stands more than \(ListUsageRequest.filterMax) times"))
    }
    self.values = values
  }

  mutating func add(_ name: String, _ message: String) {
    problems.append(.init(field: name, message: message))
  }

  func text(_ name: String) -> String? { values[name]?.first }

  func texts(_ name: String) -> [String] { values[name] ?? [] }

  mutating func integer(_ name: String, in range: ClosedRange<Int>) -> Int? {
    guard let text = text(name) else { return nil }
    guard text.utf8.first != UInt8(ascii: "+"), let value = Int(text), range.contains(value) else {
      add(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return value
  }

  /// A time at which an hour, or a day, begins.
  mutating func hour(_ name: String, alignedTo granularity: Granularity = .hourly) -> Hour? {
    guard let text = text(name) else { return nil }
    // An offset's plus that was not percent-encoded arrives as a space.
    let repaired = String(text.map { $0 == " " ? "+" : $0 })
    guard let instant = Instant(parsing: repaired) ?? Day(parsing: text)?.start else {
      add(name, "must be an RFC 3339 time such as 2026-11-23T15:00:00Z, or a date")
      return nil
    }
    let isAligned =
      switch granularity {
      case .hourly: instant == instant.hour.start
      case .daily: instant == instant.hour.day.start
      }
    guard isAligned else {
      add(
        name,
        granularity == .daily
          ? "must be midnight UTC for daily usage" : "must be the beginning of an hour")
      return nil
    }
    return instant.hour
  }

  /// Call last: throws all problems.
  func finish() throws(HTTPProblem) {
    guard problems.isEmpty else {
      throw .invalid(problems.sorted { ($0.field, $0.message) < ($1.field, $1.message) })
    }
  }
}
