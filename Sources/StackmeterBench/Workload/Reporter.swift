package import StackmeterCore

/// A batch that is ready to be sent, and what is expected of its answers.
package struct PreparedBatch: Sendable {
  package let batch: EventBatch
  /// Where the batch's series stand in the workload's.
  package let series: [Int]
  package let expected: ExpectedAnswers
}

/// What must become of the events of one batch.
package struct ExpectedAnswers: Sendable {
  /// The first number that is new in this batch; the others follow.
  let firstNew: UInt64
  let newCount: Int
  /// Where earlier events are sent again, in order.
  let retries: [Retry]

  struct Retry: Sendable {
    let slot: Int
    let number: UInt64
  }

  package var count: Int { newCount + retries.count }
  package var retryCount: Int { retries.count }
}

/// Writes the batches of one reporter: new events, numbered from 0, and among them retries of events whose
/// answer it has already.
package struct Reporter: ~Copyable {
  /// Nine of ten retries are of the last events that were answered, as a provider's retries are.
  static let recentMax: UInt64 = 65_536

  let workload: Workload
  let number: UInt64
  /// How many new events there were so far.
  package private(set) var newCount: UInt64 = 0
  /// Where the new events of each batch in flight ended.
  private var ends: [UInt64]
  private var batchCount = 0
  private var random: SplitMix
  /// For each series, its place in the batch that is written, plus one.
  private var slots: [UInt32]
  /// The series that the last batch names, in its order.
  private var used: [Int] = []

  /// A batch is sent once the answer to the one `inFlight` before it has come.
  package init(_ workload: Workload, number: Int, inFlight: Int) {
    self.workload = workload
    self.number = UInt64(number)
    ends = Array(repeating: 0, count: inFlight)
    random = SplitMix(seed: workload.seed ^ SplitMix.mix(UInt64(number) + 1))
    slots = Array(repeating: 0, count: workload.series.count)
  }

  /// The next `count` events, of which at most `newMax` are new.
  package mutating func next(_ count: Int, newMax: UInt64 = .max) -> PreparedBatch {
    let settled = ends[batchCount % ends.count]
    let firstNew = newCount
    var retries: [ExpectedAnswers.Retry] = []
    var numbers: [UInt64] = []
    numbers.reserveCapacity(count)
    while numbers.count < count {
      let word = random.next()
      if settled > 0, SplitMix.below(100, word) < UInt64(workload.duplicatesPercent) {
        let number = earlier(settled, word << 32)
        retries.append(.init(slot: numbers.count, number: number))
        numbers.append(number)
      } else {
        guard newCount - firstNew < newMax else { break }
        numbers.append(newCount)
        newCount += 1
      }
    }
    ends[batchCount % ends.count] = newCount
    batchCount += 1
    let batch = batch(numbers)
    return PreparedBatch(
      batch: batch, series: used,
      expected: ExpectedAnswers(
        firstNew: firstNew, newCount: Int(newCount - firstNew), retries: retries))
  }

  /// The number of an event before `settled`.
  private mutating func earlier(_ settled: UInt64, _ word: UInt64) -> UInt64 {
    let isAnyAge = SplitMix.below(10, word) == 0
    let span = isAnyAge ? settled : min(settled, Reporter.recentMax)
    return settled - 1 - random.next() % span
  }

  /// The events of these numbers in columns, with the series that they use.
  package mutating func batch(_ numbers: [UInt64]) -> EventBatch {
    var batch = EventBatch(source: Workload.source)
    let count = numbers.count
    batch.idEnds.reserveCapacity(count)
    batch.seriesIndex.reserveCapacity(count)
    batch.usageStart.reserveCapacity(count)
    batch.usageEnd.reserveCapacity(count)
    batch.attos.reserveCapacity(count)
    batch.ids = [UInt8](unsafeUninitializedCapacity: count * Workload.idBytes) { bytes, size in
      for (index, event) in numbers.enumerated() {
        let start = index * Workload.idBytes
        workload.writeID(
          reporter: number, number: event,
          to: UnsafeMutableBufferPointer(rebasing: bytes[start..<start + Workload.idBytes]))
      }
      size = count * Workload.idBytes
    }
    used.removeAll(keepingCapacity: true)
    for (index, event) in numbers.enumerated() {
      let content = workload.content(reporter: number, number: event)
      if slots[content.seriesIndex] == 0 {
        used.append(content.seriesIndex)
        slots[content.seriesIndex] = UInt32(used.count)
      }
      batch.idEnds.append((index + 1) * Workload.idBytes)
      batch.seriesIndex.append(slots[content.seriesIndex] - 1)
      batch.usageStart.append(content.usageStart)
      batch.usageEnd.append(content.usageEnd)
      batch.attos.append(content.attos)
    }
    batch.series = used.map { workload.series[$0] }
    for index in used { slots[index] = 0 }
    return batch
  }
}
