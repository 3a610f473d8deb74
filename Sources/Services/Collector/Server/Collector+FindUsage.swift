internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterWire

/// Looks into the journal for what an aggregate is made of.
struct UsageFinder: Sendable {
  /// What one call reads at most before it gives what it has found so far.
  static let scanBytesMax = 64 << 20
  /// What one answer has at most: several times this fits a message.
  static let answerBytesMax = 1 << 20

  private let request: FindUsageRequest
  private let subscription: String
  private let meter: String
  private let limit: Int
  private let hour: Range<Int64>
  private(set) var found: [JournaledUsage] = []
  private(set) var nextPosition: UInt64
  private var bytes = 0

  init(_ request: FindUsageRequest) {
    self.request = request
    subscription = request.subscription.asciiLowercased
    meter = request.meter.asciiLowercased
    limit = request.limit == 0 ? FindUsageRequest.limitMax : Int(request.limit)
    hour = request.usageHour.start.nanoseconds..<request.usageHour.end.nanoseconds
    nextPosition = request.positions.lowerBound
  }

  /// Reads until all was looked at, or an answer is full.
  mutating func run(_ reader: inout LogReader, _ tail: LogTail) throws(RecordLogError) {
    var scanned = 0
    while nextPosition < request.positions.upperBound, scanned < UsageFinder.scanBytesMax {
      guard let chunk = try reader.next(upTo: tail) else { return }
      scanned += chunk.bytes.count
      for record in Record.all(in: chunk.bytes, of: chunk.id) {
        guard look(at: record) else { return }
      }
    }
  }

  /// False where the answer is full, or what comes is not wanted.
  private mutating func look(at record: Record) -> Bool {
    guard record.firstPosition < request.positions.upperBound else {
      nextPosition = request.positions.upperBound
      return false
    }
    let isWhole: Bool
    switch record.kind {
    case .batch: isWhole = look(atBatch: record)
    case .correction: isWhole = look(atCorrection: record)
    case .tick, .refusal, .mark, .parked, .unparked, .heartbeat, .resolution: isWhole = true
    }
    guard isWhole else { return false }
    nextPosition = max(
      nextPosition, min(record.nextPosition, request.positions.upperBound))
    return true
  }

  private mutating func look(atBatch record: Record) -> Bool {
    guard let columns = EventColumns(journalPayload: record.payload) else { return true }
    // Few records speak of the series, so that most are passed over without a look at their events.
    let places: [Int] = columns.withEvents { events in
      let isWanted = (0..<columns.seriesCount).map { matches(events.series($0)) }
      guard isWanted.contains(true) else { return [] }
      return (0..<columns.count).filter { place in
        isWanted[events.seriesIndex(place)]
          && touches(events.usageStart(place), events.usageEnd(place))
      }
    }
    guard !places.isEmpty, let batch = record.countedEvents else { return true }
    for place in places {
      let position = record.firstPosition + UInt64(place)
      guard position >= nextPosition, position < request.positions.upperBound else { continue }
      let event = batch.event(place)
      guard
        add(
          JournaledUsage(
            position: position,
            reportedTime: record.firstTime.advanced(by: .nanoseconds(place)), event: event,
            counts: event.quantity))
      else { return false }
      nextPosition = position + 1
    }
    return true
  }

  /// All of a correction, or nothing.
  private mutating func look(atCorrection record: Record) -> Bool {
    guard record.firstPosition >= nextPosition, let applied = record.appliedCorrection,
      let correction = applied.event.correction
    else { return true }
    var usage: [JournaledUsage] = []
    for place in 0..<applied.deltas.count {
      var event = applied.deltas.event(place)
      guard matches(event.series), touches(event.usageStart.nanoseconds, event.usageEnd.nanoseconds)
      else { continue }
      event.correction = correction
      let isLast = place == applied.deltas.count - 1
      usage.append(
        JournaledUsage(
          position: record.firstPosition, reportedTime: record.firstTime, event: event,
          takesBack: place == 0 ? applied.targetPosition : nil,
          counts: correction.kind == .replaces && isLast ? applied.event.quantity : nil))
    }
    guard found.isEmpty || found.count + usage.count <= limit else { return false }
    for entry in usage { _ = add(entry, isForced: true) }
    return true
  }

  /// False where the answer has no room for it.
  private mutating func add(_ usage: JournaledUsage, isForced: Bool = false) -> Bool {
    guard isForced || found.count < limit, isForced || bytes < UsageFinder.answerBytesMax else {
      return false
    }
    let resource = usage.event.series.resource
    bytes +=
      512 + resource.uri.utf8.count + resource.location.utf8.count + resource.tags.utf8.count
      + resource.additionalInfo.utf8.count + usage.event.id.utf8.count
    found.append(usage)
    return true
  }

  private func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
    Series(journalBytes: bytes).map { matches($0) } ?? false
  }

  private func matches(_ series: Series) -> Bool {
    series.subscription.asciiLowercased.hasSameBytes(as: subscription)
      && series.meter.asciiLowercased.hasSameBytes(as: meter)
      && (request.resourceURI.map { series.resource.uri.hasSameBytes(as: $0) } ?? true)
  }

  /// Whether an event belongs to the usage hour; one without duration belongs to that of its start.
  private func touches(_ start: Int64, _ end: Int64) -> Bool {
    start == end ? hour.contains(start) : start < hour.upperBound && end > hour.lowerBound
  }
}
