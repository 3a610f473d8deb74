internal import StackmeterCore
internal import StackmeterWire

/// How far a report is: what was read, what was sent, what was answered, and from where a later run goes on.
///
/// A batch stays here until its result has come, so that everything in doubt can be sent again; the
/// collector counts an event once, however often it comes.
struct ReportLedger {
  /// What became of the lines so far.
  struct Tally: Equatable {
    var lines = 0
    var accepted = 0
    var duplicates = 0
    /// Corrections that wait for what they correct.
    var parked = 0
    var refused = 0
  }

  /// Everything before this is answered.
  struct Position: Equatable {
    var offset: Int
    var lines: Int
  }

  private struct Pending {
    let batch: NumberedBatch
    let lines: [Int]
    let chunk: Int
  }

  private struct OpenChunk {
    let end: Position
    var batchesLeft: Int
  }

  private(set) var tally = Tally()
  private(set) var position: Position
  /// Batches that a result came for.
  private(set) var settledCount = 0
  private var pending: [UInt64: Pending] = [:]
  private var nextNumber: UInt64 = 1
  private var chunks: [Int: OpenChunk] = [:]
  private var firstChunk = 0
  private var nextChunk = 0

  init(from position: Position = Position(offset: 0, lines: 0)) {
    self.position = position
  }

  var isSettled: Bool { pending.isEmpty }

  /// All that no result has come for, in the order of numbers.
  var unanswered: [NumberedBatch] {
    pending.values.map(\.batch).sorted { $0.number < $1.number }
  }

  /// Takes what was read; gives the batches to send.
  mutating func add(_ chunk: EventChunk) -> [NumberedBatch] {
    tally.lines += chunk.lineCount
    tally.refused += chunk.refused.count
    let sourced = EventBatchBuilder(chunk.events).batches
    var batches: [NumberedBatch] = []
    for batch in sourced {
      let numbered = NumberedBatch(number: nextNumber, batch: batch.batch)
      pending[nextNumber] = Pending(
        batch: numbered, lines: batch.requestIndices.map { chunk.lines[$0] }, chunk: nextChunk)
      batches.append(numbered)
      nextNumber += 1
    }
    chunks[nextChunk] = OpenChunk(
      end: Position(offset: chunk.endOffset, lines: chunk.endLine), batchesLeft: batches.count)
    nextChunk += 1
    advance()
    return batches
  }

  /// Takes a result; gives the lines that were refused. A result for a batch that is settled is ignored.
  mutating func settle(_ result: BatchResult) throws(CommandFailure) -> [RefusedLine] {
    guard let settled = pending[result.number] else { return [] }
    guard result.results.count == settled.batch.batch.count else {
      throw CommandFailure(
        "the collector gave \(result.results.count) results for a batch of "
          + "\(settled.batch.batch.count) events", exitCode: 70)
    }
    pending[result.number] = nil
    settledCount += 1
    var refused: [RefusedLine] = []
    for (index, outcome) in result.results.enumerated() {
      switch outcome {
      case .accepted: tally.accepted += 1
      case .duplicate: tally.duplicates += 1
      case .parked: tally.parked += 1
      case .conflict(_, let refusal), .quarantined(let refusal), .invalid(let refusal):
        tally.refused += 1
        refused.append(
          RefusedLine(
            line: settled.lines[index], id: settled.batch.batch.id(index), field: refusal.field,
            message: refusal.message, reason: refusal.reason.name))
      }
    }
    chunks[settled.chunk]?.batchesLeft -= 1
    advance()
    return refused
  }

  /// Chunks are answered in any order; the position moves over whole ones only.
  private mutating func advance() {
    while let chunk = chunks[firstChunk], chunk.batchesLeft == 0 {
      position = chunk.end
      chunks[firstChunk] = nil
      firstChunk += 1
    }
  }
}
