/// What one check of `stackmeter doctor` found.
struct Finding: Hashable, Sendable {
  enum Level: String, Sendable {
    case ok
    case warn
    case fail = "FAIL"
  }

  let level: Level
  /// What was looked at.
  let subject: String
  /// What was seen.
  let observation: String
  /// What to do about it; empty where nothing is wrong.
  let advice: String

  static func ok(_ subject: String, _ observation: String) -> Finding {
    Finding(level: .ok, subject: subject, observation: observation, advice: "")
  }

  static func warn(_ subject: String, _ observation: String, advice: String) -> Finding {
    Finding(level: .warn, subject: subject, observation: observation, advice: advice)
  }

  static func fail(_ subject: String, _ observation: String, advice: String) -> Finding {
    Finding(level: .fail, subject: subject, observation: observation, advice: advice)
  }

  /// `ok    settings: …`, with the advice on a line of its own.
  var text: String {
    let label = level.rawValue + String(repeating: " ", count: 6 - level.rawValue.count)
    let line = "\(label)\(subject): \(terminalText(observation))"
    return advice.isEmpty ? line : "\(line)\n      → \(advice)"
  }
}
