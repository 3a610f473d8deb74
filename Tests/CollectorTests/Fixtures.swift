import Logging
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

@testable import CollectorServer

/// What the tests of the collector agree on: the present is 2026-11-23T15:00:00Z, the start of an hour.
enum Fixture {
  static let now = SimulatedClock().now()

  static let catalog = try! MeterCatalog(
    ["CPU", "memory"].map {
      Meter(
        id: $0, name: $0, unit: "h", category: "Compute", resourceProvider: "vm", aggregation: .sum,
        isBillable: true)
    })

  static func configuration(
    latenessLimit: Duration = .seconds(7 * 86_400), quarantineBytesMax: UInt64 = 1 << 20
  ) -> CollectorConfiguration {
    CollectorConfiguration(
      journalDirectory: "/journal", quarantineDirectory: "/quarantine",
      dedupDirectory: "/dedup",
      latenessLimit: latenessLimit, diskReserveBytes: 1000, quarantineBytesMax: quarantineBytesMax)
  }

  /// The same with the meter "disk", which the tests of the quarantine lack at first.
  static let laterCatalog = try! MeterCatalog(
    ["CPU", "memory", "disk"].map {
      Meter(
        id: $0, name: $0, unit: "h", category: "Compute", resourceProvider: "vm", aggregation: .sum,
        isBillable: true)
    })

  static func intake(
    _ disk: SimulatedDisk, _ configuration: CollectorConfiguration = configuration(),
    catalog: MeterCatalog = catalog, segmentBytesMax: Int = 4096,
    recordBytesMax: Int = Intake.recordBytesMax, seed: UInt64 = 1
  ) throws -> Intake {
    var random = SeededRandom(seed: seed)
    return try Intake.open(
      disk: disk, configuration: configuration, catalog: catalog,
      secrets: Intake.Secrets(using: &random), segmentBytesMax: segmentBytesMax,
      recordBytesMax: recordBytesMax)
  }

  /// One hour of one CPU that has just ended.
  static func event(
    _ id: String = "e", source: String = "vm", subscription: String = "s", meter: String = "CPU",
    start: Instant = now.advanced(by: .seconds(-3600)), duration: Duration = .seconds(60),
    quantity: Int32 = 1
  ) -> UsageEvent {
    UsageEvent(
      id: id, source: source,
      series: Series(subscription: subscription, meter: meter, resource: Resource(uri: "/r")),
      usageStart: start, usageEnd: start.advanced(by: duration), quantity: Quantity(quantity))
  }

  static func batch(_ events: [UsageEvent]) -> EventBatch {
    EventBatchBuilder(events).batches.first?.batch ?? EventBatch(source: "vm")
  }

  /// Every accepted event that is durable, with its position and reported time.
  static func journal(
    _ disk: SimulatedDisk
  ) throws -> [(position: UInt64, time: Instant, event: UsageEvent)] {
    try records(disk).flatMap { record in
      guard record.kind == .batch else { return [(UInt64, Instant, UsageEvent)]() }
      let batch = try #require(EventBatch(journalPayload: record.payload))
      return (0..<batch.count).map {
        (
          record.firstPosition + UInt64($0), record.firstTime.advanced(by: .nanoseconds($0)),
          batch.event($0)
        )
      }
    }
  }

  /// Every entry of the quarantine whose segment is still there.
  static func quarantine(_ disk: SimulatedDisk) throws -> [QuarantineEntry] {
    try records(disk, "/quarantine").filter { $0.kind == .refusal }.map {
      try #require($0.quarantineEntry)
    }
  }

  /// Every record of a log. Only reads: who opens a log a second time takes it away from its owner.
  static func records(
    _ disk: SimulatedDisk, _ directory: String = "/journal"
  ) throws -> [Record] {
    let tail = try #require(try RecordLog.tail(disk, directory))
    let first = directory == "/quarantine" ? try SegmentFiles.firstPositions(disk, directory)[0] : 1
    var reader = LogReader(disk: disk, directory: directory, fromPosition: first)
    var records: [Record] = []
    while let chunk = try reader.next(upTo: tail) {
      records += Record.all(in: chunk.bytes, of: chunk.id)
    }
    return records
  }
}

extension JournalChunk {
  /// Its records, of the journal that it names.
  func parsed() throws -> [Record] {
    Record.all(in: records, of: try #require(LogID(rawValue: journalID)))
  }
}

extension Intake {
  /// The results of the events, which have one source, committed.
  mutating func report(_ events: [UsageEvent], at clock: Instant = Fixture.now) throws
    -> [EventResult]
  {
    let results = try take(Fixture.batch(events), clock: clock)
    try commit()
    return Array(results)
  }
}

/// Lends a collector that runs, and lets it end.
func withCollector<Result: Sendable>(
  _ disk: SimulatedDisk = SimulatedDisk(), _ clock: SimulatedClock = SimulatedClock(),
  _ configuration: CollectorConfiguration = Fixture.configuration(),
  catalog: MeterCatalog = Fixture.catalog, _ body: (Collector) async throws -> Result
) async throws -> Result {
  let collector = try makeCollector(disk, clock, configuration, catalog: catalog)
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await collector.run() }
    defer { collector.stop() }
    let result = try await body(collector)
    collector.stop()
    try await group.waitForAll()
    return result
  }
}

func makeCollector(
  _ disk: SimulatedDisk, _ clock: SimulatedClock,
  _ configuration: CollectorConfiguration = Fixture.configuration(),
  catalog: MeterCatalog = Fixture.catalog, seed: UInt64 = 1, messages: Messages = Messages()
) throws -> Collector {
  try Collector(
    configuration: configuration, catalog: catalog, disk: disk, clock: clock,
    logger: Logger(label: "test") { _ in MessagesHandler(messages: messages) },
    segmentBytesMax: 4096,
    idleMax: .milliseconds(2), random: SeededRandom(seed: seed))
}

extension Collector {
  /// The results of every event of every batch.
  func results(_ batches: [EventBatch]) async throws -> [[EventResult]] {
    try await report(batches).map { Array($0) }
  }
}

/// What a collector has logged.
final class Messages: Sendable {
  private let all = Mutex<[String]>([])

  func append(_ message: String) { all.withLock { $0.append(message) } }

  /// How many have the text.
  func count(_ text: String) -> Int {
    all.withLock { $0.count { $0.contains(text) } }
  }
}

private struct MessagesHandler: LogHandler {
  let messages: Messages
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .info

  init(messages: Messages) {
    self.messages = messages
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    messages.append("\(event.message)")
  }
}

extension EventResult {
  /// The position of an event that is in the journal.
  var position: UInt64? {
    switch self {
    case .accepted(let position, _), .duplicate(let position), .parked(let position),
      .conflict(let position, _):
      position
    case .quarantined, .invalid: nil
    }
  }

  var reportedTime: Instant? {
    if case .accepted(_, let time) = self { return time }
    return nil
  }

  var isAccepted: Bool { reportedTime != nil }
}
