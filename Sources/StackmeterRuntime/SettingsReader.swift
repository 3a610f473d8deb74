internal import StackmeterCore

/// Every problem of the configuration at once.
package struct SettingsError: Error, Equatable, CustomStringConvertible {
  package let problems: [String]

  package init(problems: [String]) {
    self.problems = problems
  }

  package var description: String { problems.joined(separator: "\n") }
}

/// Reads named settings from the environment first, then from a JSON file, and gathers what is wrong.
///
/// `gateway.port` is `{"gateway": {"port": …}}` in the file and `STACKMETER_GATEWAY_PORT` in the environment;
/// `meterCatalog` is `STACKMETER_METER_CATALOG`. What the file holds and nobody reads is a problem, so that a
/// misspelled name is never silently the default.
package struct SettingsReader {
  private let environment: [String: String]
  private var fileValues: [String: JSONValue] = [:]
  private let fileName: String
  private var problems: [String] = []

  /// `file` is the content of the file that problems call `fileName`; nil where there is none.
  package init(environment: [String: String], file: [UInt8]?, fileName: String = "configuration") {
    self.environment = environment
    self.fileName = fileName
    guard let file else { return }
    do {
      let root = try JSONValue(parsing: file, limits: .configuration)
      guard case .object(let members) = root else {
        problems.append("\(fileName): must be a JSON object")
        return
      }
      flatten(members, below: "")
    } catch {
      problems.append("\(fileName): \(error.description)")
    }
  }

  private mutating func flatten(_ members: [JSONValue.Member], below path: String) {
    for member in members {
      if case .object(let inner) = member.value {
        flatten(inner, below: path + member.name + ".")
      } else {
        fileValues[path + member.name] = member.value
      }
    }
  }

  /// A text that is not empty, unless it may be.
  package mutating func text(
    _ name: String, default fallback: String, mayBeEmpty: Bool = false
  ) -> String {
    let fileValue = fileValues.removeValue(forKey: name)
    if let value = environment[SettingsReader.variable(name)] {
      if value.isEmpty && !mayBeEmpty {
        problems.append("\(SettingsReader.variable(name)): must not be empty")
      }
      return value
    }
    guard let fileValue else { return fallback }
    guard let value = fileValue.string, mayBeEmpty || !value.isEmpty else {
      problems.append(
        "\(fileName): \(name): must be a string" + (mayBeEmpty ? "" : " that is not empty"))
      return fallback
    }
    return value
  }

  /// A whole number within `range`.
  package mutating func integer(
    _ name: String, in range: ClosedRange<Int>, default fallback: Int
  ) -> Int {
    let fileValue = fileValues.removeValue(forKey: name)
    let place: String
    let token: String
    if let value = environment[SettingsReader.variable(name)] {
      (place, token) = (SettingsReader.variable(name), value)
    } else if let fileValue {
      place = "\(fileName): \(name)"
      if case .number(let digits) = fileValue { token = digits } else { token = "" }
    } else {
      return fallback
    }
    guard let value = Int(token), range.contains(value) else {
      problems.append(
        "\(place): must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      return fallback
    }
    return value
  }

  /// Notes that a setting's value does not go together with others.
  package mutating func refuse(_ name: String, _ problem: String) {
    problems.append("\(name): \(problem)")
  }

  /// Call last: throws all problems, unknown names among them.
  package func finish() throws(SettingsError) {
    let unknown = fileValues.keys.sorted().map { "\(fileName): \($0): unknown setting" }
    guard problems.isEmpty, unknown.isEmpty else {
      throw SettingsError(problems: problems + unknown)
    }
  }

  /// `gateway.port` → `STACKMETER_GATEWAY_PORT`.
  package static func variable(_ name: String) -> String {
    var variable = "STACKMETER_"
    for character in name {
      if character == "." {
        variable += "_"
      } else {
        if character.isUppercase { variable += "_" }
        variable += character.uppercased()
      }
    }
    return variable
  }
}
