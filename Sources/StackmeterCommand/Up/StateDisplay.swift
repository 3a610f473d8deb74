internal import StackmeterRuntime
internal import Synchronization

/// Shows the state of all processes: redrawn in place on a terminal, else a line for each change.
final class StateDisplay: Sendable {
  private let stream = StandardStream.output
  private let isTerminal: Bool
  private let shown = Mutex(Shown())

  private struct Shown {
    var lineCount = 0
    var news: [String: String] = [:]
  }

  init() {
    isTerminal = stream.isTerminal
  }

  func show(_ machines: [ServiceMachine]) {
    shown.withLock { shown in
      if isTerminal {
        redraw(machines, &shown)
      } else {
        for machine in machines {
          let news = StateLines.news(machine)
          if shown.news.updateValue(news, forKey: machine.name) != news {
            stream.write(news + "\n")
          }
        }
      }
    }
  }

  private func redraw(_ machines: [ServiceMachine], _ shown: inout Shown) {
    let columns = stream.columns ?? 80
    var text = shown.lineCount > 0 ? "\u{1B}[\(shown.lineCount)A" : ""
    let lines = StateLines.lines(machines, now: ContinuousClock.now)
    // A line that wraps would be counted as one and drawn as two.
    for line in lines { text += "\u{1B}[2K\(line.prefix(columns - 1))\n" }
    shown.lineCount = lines.count
    stream.write(text)
  }
}
