internal import StackmeterCore

/// Reads the parameters of a native path and gathers what is wrong with them. Names are exact; an empty value
/// is an absent one; a name that nobody knows is a problem, and so is an empty filter, so that neither a misspelled
/// name nor an unset variable of a script ever means everything.
struct ParameterReader {
  private let declared: [String: Parameter]
  private let values: [String: [String]]
  private var problems: [HTTPProblem.Field] = []

  /// `declared` are those of the route. Nothing else may be read.
  init(_ parameters: QueryParameters, declared: [Parameter]) {
    self.declared = Dictionary(uniqueKeysWithValues: declared.map { ($0.name, $0) })
    var values: [String: [String]] = [:]
    for item in parameters.items {
      let parameter = self.declared[item.name]
      if parameter == nil {
        problems.append(
          .init(
            field: item.name,
            message: declared.isEmpty
              ? "this path takes no parameters"
              : "unknown parameter; known are \(self.declared.keys.sorted().joined(separator: ", "))"
          ))
      }
      if item.value.isEmpty, parameter?.isRepeatable == true {
        problems.append(
          .init(field: item.name, message: "must not be empty; leave it out to ask for all"))
      }
      if !item.value.isEmpty { values[item.name, default: []].append(item.value) }
    }
    for (name, all) in values {
      guard let parameter = self.declared[name], all.count > parameter.countMax else { continue }
      problems.append(
        .init(
          field: name,
          message: parameter.isRepeatable
            ? "stands more than \(parameter.countMax) times" : "stands more than once"))
    }
    for parameter in declared where parameter.isNeeded && values[parameter.name] == nil {
      problems.append(.init(field: parameter.name, message: "is needed"))
    }
    self.values = values
  }

  mutating func add(_ name: String, _ message: String) {
    problems.append(.init(field: name, message: message))
  }

  func text(_ name: String) -> String? { texts(name).first }

  func texts(_ name: String) -> [String] {
    _ = form(name)
    return values[name] ?? []
  }

  /// One of the declared words, as it was declared.
  mutating func choice(_ name: String) -> String? {
    guard case .choice(let choices) = form(name) else {
      preconditionFailure("\(name) is declared as a choice")
    }
    guard let text = text(name) else { return nil }
    let wanted = text.asciiLowercased
    guard let choice = choices.first(where: { $0.asciiLowercased == wanted }) else {
      add(name, "must be \(choices.dropLast().joined(separator: ", ")) or \(choices.last ?? "")")
      return nil
    }
    return choice
  }

  /// Some of the declared words, as they were declared, each once.
  mutating func choices(_ name: String) -> Set<String> {
    guard case .choices(let choices) = form(name) else {
      preconditionFailure("\(name) is declared as choices")
    }
    var chosen: Set<String> = []
    for word in (text(name) ?? "").split(separator: ",") {
      let wanted = String(word).asciiLowercased
      guard let choice = choices.first(where: { $0.asciiLowercased == wanted }) else {
        add(
          name, "must be of \(choices.dropLast().joined(separator: ", ")) and \(choices.last ?? "")"
        )
        return []
      }
      chosen.insert(choice)
    }
    return chosen
  }

  /// A whole number in the declared range.
  mutating func integer(_ name: String) -> Int? {
    guard case .integer(let range) = form(name) else {
      preconditionFailure("\(name) is declared as an integer")
    }
    guard let text = text(name) else { return nil }
    guard text.utf8.first != UInt8(ascii: "+"), let value = Int(text), range.contains(value) else {
      add(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return value
  }

  /// A time at which an hour, or a day, begins.
  mutating func hour(_ name: String, alignedTo granularity: Granularity = .hourly) -> Hour? {
    guard form(name) == .hour else { preconditionFailure("\(name) is declared as an hour") }
    guard let instant = instant(name) else { return nil }
    guard instant == instant.hour.start, granularity.begins(at: instant.hour) else {
      let expected =
        switch granularity {
        case .hourly: "must be the beginning of an hour"
        case .daily: "must be midnight UTC for daily usage"
        case .monthly: "must be midnight UTC of the first day of a month for monthly usage"
        }
      add(name, expected)
      return nil
    }
    return instant.hour
  }

  mutating func time(_ name: String) -> Instant? {
    guard form(name) == .time else { preconditionFailure("\(name) is declared as a time") }
    return instant(name)
  }

  private mutating func instant(_ name: String) -> Instant? {
    guard let text = text(name) else { return nil }
    // An offset's plus that was not percent-encoded arrives as a space.
    let repaired = String(text.map { $0 == " " ? "+" : $0 })
    guard let instant = Instant(parsing: repaired) ?? Day(parsing: text)?.start else {
      add(name, "must be an RFC 3339 time such as 2026-11-23T15:00:00Z, or a date")
      return nil
    }
    return instant
  }

  mutating func flag(_ name: String) -> Bool {
    guard form(name) == .flag else { preconditionFailure("\(name) is declared as a flag") }
    switch text(name) {
    case nil, "false": return false
    case "true": return true
    default:
      add(name, "must be true or false")
      return false
    }
  }

  mutating func number(_ name: String) -> UInt64? { numbers(name).first }

  mutating func numbers(_ name: String) -> [UInt64] {
    guard form(name) == .number else { preconditionFailure("\(name) is declared as a number") }
    return texts(name).compactMap { text in
      guard let first = text.utf8.first, first != UInt8(ascii: "+"), let number = UInt64(text)
      else {
        add(name, "must be a whole number that is not negative")
        return nil
      }
      return number
    }
  }

  /// What was declared. A handler reads nothing else, so that the description of its route leaves nothing out.
  private func form(_ name: String) -> Parameter.Form {
    guard let parameter = declared[name] else {
      preconditionFailure("the parameter \(name) is declared by its route")
    }
    return parameter.form
  }

  /// Call last: throws all problems.
  func finish() throws(HTTPProblem) {
    guard problems.isEmpty else {
      throw .invalid(problems.sorted { ($0.field, $0.message) < ($1.field, $1.message) })
    }
  }
}
