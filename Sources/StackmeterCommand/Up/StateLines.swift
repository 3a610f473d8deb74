/// The lines that `stackmeter up` shows, one for each process.
enum StateLines {
  static func lines(_ machines: [ServiceMachine], now: ContinuousClock.Instant) -> [String] {
    machines.map { machine in
      var line = padded(machine.name, 12) + padded(machine.word, 12)
      line += padded(machine.pid.map { "pid \($0)" } ?? "", 13)
      line += padded(machine.upSince.map { "up \(duration(now - $0))" } ?? "", 12)
      line += padded(machine.restarts == 1 ? "1 restart" : "\(machine.restarts) restarts", 14)
      line += terminalText(machine.problem).replacing("\n", with: " ")
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  /// What is the same from one moment to the next is not news: the line of a machine without its times.
  static func news(_ machine: ServiceMachine) -> String {
    let pid = machine.pid.map { " pid \($0)" } ?? ""
    let problem = machine.problem.isEmpty ? "" : ": \(terminalText(machine.problem))"
    return "\(machine.name) \(machine.word)\(pid)\(problem)"
  }

  /// `42s`, `3m 7s`, `5h 2m`, `12d 3h`.
  static func duration(_ duration: Duration) -> String {
    let seconds = max(0, duration.components.seconds)
    return switch seconds {
    case ..<60: "\(seconds)s"
    case ..<3600: "\(seconds / 60)m \(seconds % 60)s"
    case ..<86_400: "\(seconds / 3600)h \(seconds / 60 % 60)m"
    default: "\(seconds / 86_400)d \(seconds / 3600 % 24)h"
    }
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}
