import StackmeterCore
import StackmeterJournal
import StackmeterStore
import StackmeterTesting
import StackmeterWire

/// A journal of all that an aggregator can meet, in steps: a step is one chunk, and one transaction.
///
/// Every aggregation kind, late usage, usage over several hours, corrections, heartbeats, windows that close
/// one by one and several at once, and three months without usage, so that the retention has something to remove.
struct AggregatorScript {
  /// After so many steps the aggregator is stopped in order and started again: then the retention has its turn.
  static let stepsBeforeStop = 4
  static let retentionMonths = 1
  private static let seriesOfStep = 120
  private static let journal = LogID(rawValue: 0x1122_3344_5566_7788)!
  private static let kinds: [(meter: String, kind: String)] = [
    ("m-sum", "sum"), ("m-max", "max"), ("m-latest", "latest"), ("m-unique", "unique_count"),
  ]

  private(set) var steps: [JournalChunk] = []
  private var records: [Record] = []
  private var reported: [UsageEvent] = []
  private var corrected: Set<String> = []
  private var position: UInt64 = 1
  private var time = Instant(parsing: "2026-06-30T20:10:00Z")!
  private var random: SeededRandom

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    hear("a", lag: 60)
    report(40)
    endStep()

    pass(minutes: 65)
    report(30, hoursBack: 2)
    correct(8)
    hear("b", lag: 4000)
    endStep()

    // Across the end of an hour within one record, then over idle hours: four windows end in one transaction.
    time = time.hour.end.advanced(by: .nanoseconds(-10))
    report(20, hoursBack: 5)
    pass(minutes: 130)
    correct(6)
    hear("a", lag: 30)
    pass(minutes: 61)
    report(AggregatorScript.seriesOfStep, hoursBack: 1, isWide: true)
    endStep()

    pass(minutes: 92 * 24 * 60)
    report(10)
    endStep()

    pass(minutes: 61)
    report(20, hoursBack: 3)
    correct(8)
    endStep()

    pass(minutes: 125)
    report(5)
    tick()
    endStep()
  }

  static func writeCatalog(to path: String) throws {
    let meters = kinds.map { meter, kind in
      """
      {"id": "\(meter)", "name": "\(meter)", "unit": "u", "category": "c",
       "resourceProvider": "p", "aggregation": "\(kind)", "billable": true}
      """
    }
    try Array(#"{"meters": [\#(meters.joined(separator: ","))]}"#.utf8).write(to: path)
  }

  private mutating func pass(minutes: Int) {
    time = time.advanced(by: .seconds(minutes * 60))
  }

  private mutating func append(_ record: Record) {
    records.append(record)
    position = record.nextPosition
    time = record.lastTime.advanced(by: .nanoseconds(1))
  }

  private mutating func endStep() {
    var bytes: [UInt8] = []
    for record in records {
      record.write(to: &bytes, of: AggregatorScript.journal, startsCommit: true)
    }
    steps.append(
      JournalChunk(
        records: bytes, nextPosition: position, durablePosition: position,
        journalID: AggregatorScript.journal.rawValue))
    records = []
  }

  private mutating func tick() {
    pass(minutes: 61)
    append(Record(kind: .tick, count: 0, firstPosition: position, firstTime: time, payload: []))
  }

  private mutating func hear(_ source: String, lag: Int64) {
    append(
      Record(
        Heartbeat(
          source: source, cadenceSeconds: 3600, completeUntil: time.advanced(by: .seconds(-lag))),
        position: position, time: time))
  }

  private mutating func event(_ id: String, hoursBack: Int, isWide: Bool = false) -> UsageEvent {
    let meter =
      isWide ? "m-sum" : AggregatorScript.kinds.randomElement(using: &random)!.meter
    let start = time.advanced(
      by: .seconds(-Int.random(in: 0...(hoursBack * 3600 + 600), using: &random)))
    let length = [0, 60, 3600, 9000].randomElement(using: &random)!
    let uri = isWide ? "/wide/\(id)" : "/r\(Int.random(in: 0..<4, using: &random))"
    return UsageEvent(
      id: id, source: "script",
      series: Series(
        subscription: "s\(Int.random(in: 0..<3, using: &random))", meter: meter,
        resource: Resource(uri: uri)),
      usageStart: start, usageEnd: start.advanced(by: .seconds(length)),
      quantity: Quantity(
        attos: Int128.random(in: -9...99, using: &random) * 300_000_000_000_000_007)!)
  }

  private mutating func report(_ count: Int, hoursBack: Int = 0, isWide: Bool = false) {
    var events: [UsageEvent] = []
    for number in 0..<count {
      events.append(event("e\(position)-\(number)", hoursBack: hoursBack, isWide: isWide))
    }
    let batch = EventBatchBuilder(events).batches[0].batch
    append(
      Record(
        kind: .batch, count: UInt32(count), firstPosition: position, firstTime: time,
        payload: batch.journalPayload()))
    reported += events
  }

  /// Voids and replaces what was reported, half of each.
  private mutating func correct(_ count: Int) {
    let open = reported.filter { !corrected.contains($0.id) }.shuffled(using: &random)
    for (number, target) in open.prefix(count).enumerated() {
      corrected.insert(target.id)
      var event = event("c\(position)", hoursBack: 0)
      let isVoid = number % 2 == 0
      if !isVoid {
        event.usageStart = target.usageStart
        event.usageEnd = target.usageStart.advanced(by: .seconds(60))
      }
      event.correction = Correction(isVoid ? .voids : .replaces, target.id)
      if isVoid {
        event.usageStart = target.usageStart
        event = event.canonicalVoid
      }
      append(
        Record(AppliedCorrection(event, of: target, at: 1), position: position, time: time))
    }
  }
}
