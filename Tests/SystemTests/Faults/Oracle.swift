import Glibc
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Synchronization

/// What a reporter outside of the collector knows for sure: every event that it was about to send and every
/// answer that it got, in a file of its own that is synced before it goes on.
///
/// The file has a line `sent …` for each event before it is sent, and `at SOURCE NUMBER POSITION` for each that
/// was answered as accepted, parked or a duplicate.
final class Oracle: Sendable {
  /// One event, and its place in the journal where that was ever answered.
  struct Entry: Sendable {
    let event: OracleEvent
    var position: UInt64?
  }

  fileprivate struct State {
    var entries: [Entry] = []
    var indices: [String: Int] = [:]
  }

  private let state = Mutex(State())
  private let file: Int32

  /// A new, empty record.
  init(path: String) throws {
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw ClusterError("cannot make \(path): \(errno)") }
  }

  /// What another oracle has written.
  init(reading path: String) throws {
    file = -1
    let text = String(decoding: try fileContent(path, bytesMax: 1 << 30), as: UTF8.self)
    try state.withLock { state in
      for line in text.split(separator: "\n") {
        let words = line.split(separator: " ")
        if words.first == "sent", let event = OracleEvent(line: words) {
          state.add(event)
        } else if words.count == 4, words[0] == "at", let position = UInt64(words[3]),
          let index = state.indices["\(words[1]) \(words[2])"]
        {
          state.entries[index].position = position
        } else {
          throw ClusterError("\(path): \(line)")
        }
      }
    }
  }

  deinit {
    if file >= 0 { close(file) }
  }

  var entries: [Entry] { state.withLock { $0.entries } }
  var count: Int { state.withLock { $0.entries.count } }

  /// Returns once the disk has it. Call it before the events are sent.
  func willSend(_ events: [OracleEvent]) async throws {
    try await write(events.map(\.line).joined())
    state.withLock { state in
      for event in events { state.add(event) }
    }
  }

  /// Returns once the disk has it. Gives the events that were refused, or placed elsewhere than before.
  func answered(
    _ events: [OracleEvent], _ results: [EventResult]
  ) async throws -> [OracleEvent] {
    let (wrong, lines) = state.withLock { state in
      var lines = ""
      var wrong: [OracleEvent] = []
      for (event, result) in zip(events, results) {
        let position: UInt64
        let index = state.indices[event.key]!
        switch result {
        case .accepted(let first, _) where state.entries[index].position == nil,
          .parked(let first) where state.entries[index].position == nil && event.voids != nil:
          position = first
        case .duplicate(let first)
        where state.entries[index].position.map({ $0 == first }) ?? true:
          position = first
        default:
          wrong.append(event)
          continue
        }
        if state.entries[index].position != nil { continue }
        state.entries[index].position = position
        lines += "at \(event.source) \(event.number) \(position)\n"
      }
      return (wrong, lines)
    }
    try await write(lines)
    return wrong
  }

  private func write(_ text: String) async throws {
    // One that was read from a file is changed in memory alone.
    if text.isEmpty || file < 0 { return }
    let (file, bytes) = (file, Array(text.utf8))
    // Not on a thread of the tasks, which would hold up the others, and with them the fault.
    let problem = await blocking {
      Glibc.write(file, bytes, bytes.count) == bytes.count && fdatasync(file) == 0 ? 0 : errno
    }
    guard problem == 0 else { throw ClusterError("the oracle cannot write: \(problem)") }
  }
}

extension Oracle.State {
  fileprivate mutating func add(_ event: OracleEvent) {
    precondition(indices[event.key] == nil, "an event is new when it is first sent")
    indices[event.key] = entries.count
    entries.append(Oracle.Entry(event: event))
  }
}
