import CollectorClient
import GRPCCore
import Glibc
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire

/// Compares a collector with an oracle: sends everything again, reads the journal, adds both up.
///
/// An audit may be repeated while both grow; it then looks at what is new, and adds that up with the rest.
struct Audit {
  private(set) var events = 0
  /// Acknowledged before, and accepted anew, at another place, or not in the journal.
  private(set) var lost = 0
  /// More than once in the journal, or accepted twice.
  private(set) var doubled = 0
  /// Never answered before this audit, and what became of them.
  private(set) var unanswered = 0
  private(set) var unansweredButKept = 0
  /// In words, what is wrong beside the counts.
  private(set) var problems: [String] = []

  private var nextPosition: UInt64 = 1
  private var journalID: UInt64 = 0
  private var positions: [String: UInt64] = [:]
  private var journalSums: [String: Quantity] = [:]
  private var oracleSums: [String: Quantity] = [:]
  /// Corrections that the journal has as parked: they take effect at another position later.
  private var parked: Set<String> = []
  private var oracleEvents: [String: UsageEvent] = [:]
  private var voided: Set<String> = []

  var isClean: Bool { lost == 0 && doubled == 0 && problems.isEmpty }

  var summary: String {
    let counts =
      "\(events) events, \(lost) lost, \(doubled) doubled, "
      + "\(unanswered) without an answer of which \(unansweredButKept) had been kept"
    return ([counts] + problems.prefix(5)).joined(separator: "; ")
  }

  private static let requestEvents = 500

  /// Sends everything that is new since the last time. `mayBeLost` are events whose loss the disk explains.
  mutating func run(
    _ oracle: Oracle, _ collector: CollectorClient, mayBeLost: Set<String> = []
  ) async throws {
    let new = Array(oracle.entries[events...])
    events += new.count
    var places: [(String, UInt64)] = []
    for start in stride(from: 0, to: new.count, by: Audit.requestEvents) {
      let part = new[start..<min(start + Audit.requestEvents, new.count)]
      let first = try await collector.report(part.map(\.event.event))
      let second = try await collector.report(part.map(\.event.event))
      _ = try await oracle.answered(part.map(\.event), first)
      for (entry, (first, second)) in zip(part, zip(first, second)) {
        let isExcused = mayBeLost.contains(entry.event.key)
        if let place = place(entry, first, second, isExcused: isExcused) {
          places.append((entry.event.key, place))
        }
      }
    }
    try await readJournal(collector)
    for (key, place) in places where positions[key] != place {
      lost += 1
      problems.append(
        "\(key): answered at \(place), but in the journal at "
          + (positions[key].map { "\($0)" } ?? "no place"))
    }
    for entry in new { count(entry.event) }
    if positions.count != events {
      problems.append("the journal has \(positions.count) events")
    }
    if journalSums != oracleSums { problems.append("\(journalSums) is not \(oracleSums)") }
  }

  /// Adds an event to what the oracle expects. One that is voided counts nothing.
  private mutating func count(_ event: OracleEvent) {
    oracleEvents[event.key] = event.event
    guard let key = event.voidedKey else {
      if !voided.contains(event.key) { oracleSums.add(event.event) }
      return
    }
    voided.insert(key)
    guard var target = oracleEvents[key] else { return }
    target.quantity = target.quantity.negated
    oracleSums.add(target)
  }

  /// Where an event is, by both answers.
  private mutating func place(
    _ entry: Oracle.Entry, _ first: EventResult, _ second: EventResult, isExcused: Bool
  ) -> UInt64? {
    let place: UInt64
    switch (entry.position, first) {
    case (let known?, .duplicate(let position)) where known == position:
      place = known
    case (nil, .duplicate(let position)):
      unanswered += 1
      unansweredButKept += 1
      place = position
    case (nil, .accepted(let position, _)), (nil, .parked(let position)):
      unanswered += 1
      place = position
    case (.some, .accepted(let position, _)) where isExcused:
      place = position
    default:
      lost += 1
      problems.append("\(entry.event.key): known at \(entry.position ?? 0), but \(first)")
      return nil
    }
    if second != .duplicate(position: place) {
      doubled += 1
      problems.append("\(entry.event.key): \(first), and then \(second)")
    }
    return place
  }

  /// Reads on to the end: positions without a gap, each event once.
  private mutating func readJournal(_ collector: CollectorClient) async throws {
    let chunks = try await collector.readJournal(
      from: nextPosition, of: journalID, follow: false, timeout: .seconds(60)
    ) { stream in
      var chunks: [JournalChunk] = []
      for try await chunk in stream { chunks.append(chunk) }
      return chunks
    }
    for chunk in chunks {
      journalID = chunk.journalID
      for record in try Audit.records(of: chunk) where record.count > 0 {
        // A chunk begins with the record that holds the position, which may begin before it.
        if record.nextPosition <= nextPosition { continue }
        if record.firstPosition != nextPosition {
          problems.append("a hole from \(nextPosition) to \(record.firstPosition)")
        }
        nextPosition = record.nextPosition
        try take(record)
      }
    }
  }

  /// Notes where the events of a record are, and adds up what it counts.
  private mutating func take(_ record: Record) throws {
    let counted = record.countedEvents.map { batch in (0..<batch.count).map { batch.event($0) } }
    guard
      let declared = record.kind == .batch
        ? counted : record.declaredEvent(at: record.firstPosition).map({ [$0] })
    else { throw ClusterError("the record at \(record.firstPosition) has no known form") }
    for (position, event) in zip(record.firstPosition..., declared) {
      let key = "\(event.source) \(event.id)"
      if record.kind == .correction && parked.remove(key) != nil { continue }
      if record.kind == .parked { parked.insert(key) }
      if positions.updateValue(position, forKey: key) != nil {
        doubled += 1
        problems.append("\(key) is twice in the journal")
      }
    }
    for event in counted ?? [] { journalSums.add(event) }
  }

  /// What a reader makes of a chunk: with `take` the only place that knows the journal's form.
  private static func records(of chunk: JournalChunk) throws -> [Record] {
    guard let id = LogID(rawValue: chunk.journalID) else { throw ClusterError("no journal id") }
    let records = Record.all(in: chunk.records, of: id)
    guard records.reduce(0, { $0 + $1.byteCount }) == chunk.records.count else {
      throw ClusterError("a chunk of the journal is no row of whole records")
    }
    return records
  }
}

extension [String: Quantity] {
  fileprivate mutating func add(_ event: UsageEvent) {
    let subscription = event.series.subscription
    self[subscription] = self[subscription, default: .zero].adding(event.quantity)!
  }
}

/// Writes one line about a test's figures.
func say(_ line: String) {
  let bytes = Array("== \(line)\n".utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// A number that the environment may set.
func setting(_ name: String, default fallback: Int) throws -> Int {
  guard let text = processEnvironmentValue(name) else { return fallback }
  guard let number = Int(text), number > 0 else {
    throw ClusterError("\(name): \"\(text)\" is not a positive number")
  }
  return number
}

func processEnvironmentValue(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}
