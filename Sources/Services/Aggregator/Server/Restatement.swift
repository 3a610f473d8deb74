internal import CollectorClient
internal import GRPCCore
internal import StackmeterCore
internal import StackmeterStore
internal import StackmeterWire
internal import Synchronization

/// A restatement while it is made: reads the journal apart from the aggregator, which goes on counting meanwhile.
final class Restatement: Sendable {
  /// How long the journal may take to be read.
  private static let readTimeout: Duration = .seconds(24 * 3600)

  private let counter: Mutex<RestateCounter>
  private let path: String

  /// Fills a file at `path`.
  init(
    path: String, _ changes: [RuleChange], latenessLimitDays: Int, limits: RestateStage.Limits
  ) throws(StoreError) {
    self.path = path
    counter = Mutex(
      try RestateCounter(
        path: path, changes, latenessLimitDays: latenessLimitDays, limits: limits))
  }

  deinit {
    // What is left of it is overwritten by the next.
    try? RestateStage.remove(path)
  }

  /// The first position that was not counted.
  var position: UInt64 { counter.withLock { $0.position } }

  /// Counts the journal up to a position.
  @concurrent
  func read(_ collector: CollectorClient, of journalID: UInt64, upTo end: UInt64) async throws {
    // The first time, from where the journal begins.
    let start = counter.withLock { $0.fromHour == nil ? 0 : $0.position }
    guard start < end else { return }
    try await collector.readJournal(
      from: start, of: journalID, follow: false, timeout: Restatement.readTimeout
    ) { chunks in
      for try await chunk in chunks {
        let isThere = try self.counter.withLock {
          try $0.apply(chunk.records, of: chunk.journalID, upTo: end)
        }
        if isThere { return }
      }
    }
    let position = position
    guard position >= end else { throw RestateError.journalEnded(position: position, end: end) }
  }

  /// Compares the two rules in what is left, and says what changes.
  @concurrent
  func finish() async throws(StoreError) -> RestateResponse {
    try counter.withLock { (counter) throws(StoreError) in
      try counter.stage.finish()
      var response = RestateResponse()
      response.position = counter.position
      response.fromHour = counter.fromHour.flatMap { $0.index == 0 ? nil : $0 }
      response.meters = counter.stage.meters.map { RestateResponse.RestatedMeter($0) }
      response.differenceCount = UInt64(counter.stage.differenceCount)
      response.differences = try counter.stage.differences(limit: RestateResponse.differencesMax)
        .map {
          RestateResponse.Difference(
            subscription: $0.series.subscription, meter: $0.series.meter,
            resourceURI: $0.series.resource.uri, usageHour: $0.usageHour,
            quantity: Quantity(attos: $0.attos))
        }
      return response
    }
  }

  // Only the one call that has finished it has it.
  private struct Finished: @unchecked Sendable {
    let stage: RestateStage
    let fromHour: Hour
    let position: UInt64
  }

  /// Books what was found, once it is finished; see `JournalCounter.restate`.
  func book(into journal: JournalCounter) throws(StoreError) -> Int {
    let finished = counter.withLock {
      Finished(
        stage: $0.stage, fromHour: $0.fromHour ?? Hour(index: 0), position: $0.position)
    }
    return try journal.restate(
      finished.stage, fromHour: finished.fromHour, at: finished.position)
  }
}

extension RestateResponse.RestatedMeter {
  fileprivate init(_ restated: StackmeterStore.RestatedMeter) {
    self.init()
    meter = restated.meter
    (from, to) = (restated.from, restated.to)
    (series, hours, hoursLookedAt) = (restated.series, restated.hours, restated.hoursLookedAt)
    totals = nil
    if let before = restated.before.flatMap({ Quantity(attos: $0) }),
      let after = restated.after.flatMap({ Quantity(attos: $0) })
    {
      totals = RestateResponse.Totals(before: before, after: after)
    }
  }
}
