/// Why an agent cannot start. Usage is never guessed, so each of these stops it.
package enum AgentError: Error, Equatable, CustomStringConvertible {
  /// The state file is there but is not what an agent wrote.
  case stateInvalid(path: String, problem: String)
  /// The state file could not be read or written.
  case stateUnavailable(path: String, problem: String)
  /// Another agent uses the same state file.
  case stateInUse(path: String)
  /// The kernel does not offer what every agent needs.
  case kernelUnavailable(problem: String)

  package var description: String {
    switch self {
    case .stateInvalid(let path, let problem): "state file \(path): \(problem)"
    case .stateUnavailable(let path, let problem): "state file \(path): \(problem)"
    case .stateInUse(let path): "state file \(path): another agent uses it"
    case .kernelUnavailable(let problem): problem
    }
  }
}
