internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterStore

/// Why a journal record cannot be applied after those before it.
enum RollupError: Error, Equatable, CustomStringConvertible {
  case gap(expected: UInt64, found: UInt64)
  case undecodable(position: UInt64)
  case otherJournal(LogID, read: LogID)
  case unnamedJournal
  /// The journal comes to a restatement's position in another window than it was booked in.
  case ruleOutOfPlace(meter: String, position: UInt64, window: Hour)

  var description: String {
    switch self {
    case .gap(let expected, let found):
      "the journal goes on at position \(found) instead of \(expected): a part of it is missing"
    case .undecodable(let position):
      "the journal's record at position \(position) is of no known form"
    case .otherJournal(let found, let read):
      "the collector serves journal \(found), but the usage database has read \(read): "
        + "restore that journal, or rebuild the usage database from this one"
    case .unnamedJournal:
      "the collector does not say which journal it serves"
    case .ruleOutOfPlace(let meter, let position, let window):
      "meter \(meter) was restated at position \(position) in window \(window.start), but the "
        + "journal is not in that window there: it is not the journal that was counted"
    }
  }
}

/// What journal records add up to: pure arithmetic between a position and the next.
///
/// An event belongs to the reporting window of its own reported time, and to the usage hours that it touches: by a
/// sum pro rata, by any other aggregation whole. A record with a reported time in a later hour closes every window
/// before that hour, because reported time never goes back. The events of a correction belong to one window, that of
/// the first, and are counted in one step: nobody sees one half of a replacement. A parked correction counts nothing.
struct Rollup {
  /// A series that is to be numbered, and where the journal first counts something for it.
  struct Wanted {
    let slot: Int
    let firstWindow: Hour
    let firstPosition: UInt64
  }

  struct Window {
    var window: Hour
    var sums = WindowSums()
    /// What comes and goes of meters that are no sum. A key has the slot in place of the series' number.
    var samples: [SampleChange] = []
    var endPosition: UInt64?
    /// The sources that were behind when it ended.
    var missing = MissingSources.none

    var isEmpty: Bool { sums.entries.isEmpty && samples.isEmpty }
  }

  private(set) var position: PipelinePosition
  /// In order; the first is the one that was open at the start, the last is the one that is open now.
  private(set) var windows: [Window]
  private(set) var wanted: [Wanted] = []
  private(set) var events: UInt64 = 0
  /// The declared sources, and the names of those that heartbeats have changed or ended.
  private(set) var sources: SourceTable
  private(set) var changedSources: Set<String> = []
  private let aggregation: (Series) -> Aggregation
  private var closedCount = 0

  /// `aggregation` says how a series is counted.
  init(
    from position: PipelinePosition, sources: SourceTable = SourceTable(),
    aggregation: @escaping (Series) -> Aggregation
  ) {
    self.position = position
    self.sources = sources
    self.aggregation = aggregation
    windows = [Window(window: position.openWindow)]
  }

  /// How many aggregates and samples it touches.
  var size: Int {
    let last = windows.count - 1
    return closedCount + windows[last].sums.entries.count + windows[last].samples.count
  }

  /// Says which journal the next records are from. All records of one usage database are from one.
  mutating func enter(journal rawID: UInt64) throws(RollupError) -> LogID {
    guard let id = LogID(rawValue: rawID) else { throw .unnamedJournal }
    if let read = LogID(rawValue: position.journalID), read != id {
      throw .otherJournal(id, read: read)
    }
    position.journalID = rawID
    return id
  }

  /// Adds one record. A record that was applied before adds nothing.
  ///
  /// False where it stopped inside the record because it has `sizeMax` or `eventsMax`: commit, and apply the same
  /// record from the new position.
  mutating func apply(
    _ record: Record, _ index: inout SeriesIndex, sizeMax: Int = .max, eventsMax: UInt64 = .max
  ) throws(RollupError) -> Bool {
    guard record.firstPosition <= position.nextPosition else {
      throw .gap(expected: position.nextPosition, found: record.firstPosition)
    }
    let isTick = record.count == 0
    guard isTick || record.nextPosition > position.nextPosition else { return true }
    enter(record.firstTime.hour, at: position.nextPosition)
    switch record.kind {
    case .batch:
      guard try apply(batch: record, &index, sizeMax, eventsMax) else { return false }
    case .correction:
      guard size < sizeMax, events < eventsMax else { return false }
      try apply(correction: record, &index)
    case .heartbeat: try apply(heartbeat: record)
    case .tick, .refusal, .mark, .parked, .unparked, .resolution: break
    }
    advance(to: record.nextPosition, record.lastTime)
    return true
  }

  private mutating func apply(
    batch record: Record, _ index: inout SeriesIndex, _ sizeMax: Int, _ eventsMax: UInt64
  ) throws(RollupError) -> Bool {
    guard let columns = EventColumns(journalPayload: record.payload),
      columns.count == Int(record.count)
    else { throw .undecodable(position: record.firstPosition) }
    let result = columns.withEvents { events -> Result<Bool, RollupError> in
      do throws(RollupError) {
        return .success(
          try apply(events, columns.seriesCount, of: record, &index, sizeMax, eventsMax))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private mutating func apply(
    _ events: EventColumns.Events, _ seriesCount: Int, of record: Record,
    _ index: inout SeriesIndex, _ sizeMax: Int, _ eventsMax: UInt64
  ) throws(RollupError) -> Bool {
    var slots = Array(repeating: -1, count: seriesCount)
    for place in Int(position.nextPosition - record.firstPosition)..<Int(record.count) {
      guard size < sizeMax, self.events < eventsMax else { return false }
      let eventPosition = record.firstPosition + UInt64(place)
      let time = Instant(nanoseconds: record.firstTime.nanoseconds + Int64(place))
      enter(time.hour, at: eventPosition)
      let seriesIndex = events.seriesIndex(place)
      if slots[seriesIndex] < 0 {
        slots[seriesIndex] = try want(
          index.slot(events.series(seriesIndex), aggregation: aggregation), &index, eventPosition)
      }
      let counted = CountedEvent(
        slot: slots[seriesIndex], usageStart: events.usageStart(place),
        usageEnd: events.usageEnd(place), attos: events.attos(place), position: eventPosition)
      guard counted.isCountable else { throw .undecodable(position: record.firstPosition) }
      if case .sum = index.aggregations[counted.slot] {
        add(counted)
      } else {
        let start = Instant(nanoseconds: counted.usageStart)
        let event = StoreDigest.event(
          source: events.source, id: events.id(place), hour: start.hour)
        addSamples(counted, event, index.aggregations[counted.slot], isRemoval: false)
      }
      self.events += 1
      advance(to: eventPosition + 1, time)
    }
    return true
  }

  /// Takes back what is corrected and counts what is in its place, each by the aggregation of its own meter.
  private mutating func apply(
    correction record: Record, _ index: inout SeriesIndex
  ) throws(RollupError) {
    guard let correction = record.appliedCorrection, let target = correction.event.targetIdentity
    else { throw .undecodable(position: record.firstPosition) }
    enter(record.firstTime.hour, at: record.firstPosition)
    let position = record.firstPosition
    let deltas = correction.deltas
    var counted: [CountedEvent] = []
    for place in 0..<deltas.count {
      let series = deltas.series[Int(deltas.seriesIndex[place])].journalBytes
      let slot = try want(
        series.withUnsafeBytes { index.slot($0, aggregation: aggregation) }, &index, position)
      let event = CountedEvent(
        slot: slot, usageStart: deltas.usageStart[place], usageEnd: deltas.usageEnd[place],
        attos: deltas.attos[place], position: position)
      guard event.isCountable else { throw .undecodable(position: position) }
      counted.append(event)
      if index.aggregations[slot] == .sum { add(event) }
    }
    let isReplacement = correction.event.correction?.kind == .replaces
    let content = correction.event.quantity.attos
    // One delta of a replacement is the difference between the new quantity and the old one.
    var old = counted[0]
    old.attos = isReplacement && counted.count == 1 ? content - old.attos : -old.attos
    if index.aggregations[old.slot] != .sum {
      guard old.isCountable else { throw .undecodable(position: position) }
      let event = StoreDigest.event(
        source: target.source.utf8, id: target.id.utf8, hour: target.hour)
      addSamples(old, event, index.aggregations[old.slot], isRemoval: true)
    }
    var new = counted[counted.count - 1]
    if isReplacement, index.aggregations[new.slot] != .sum {
      new.attos = content
      let identity = correction.event.identity
      let event = StoreDigest.event(
        source: identity.source.utf8, id: identity.id.utf8, hour: identity.hour)
      addSamples(new, event, index.aggregations[new.slot], isRemoval: false)
    }
    events += UInt64(deltas.count)
  }

  /// A heartbeat takes no position, so its time says whether it was applied before.
  private mutating func apply(heartbeat record: Record) throws(RollupError) {
    guard let heartbeat = record.heartbeat else {
      throw .undecodable(position: record.firstPosition)
    }
    guard record.firstTime > position.reportedTime else { return }
    switch sources.take(heartbeat, time: record.firstTime, position: record.firstPosition) {
    case .changed, .ended: changedSources.insert(heartbeat.source)
    case .unchanged, .full: break
    }
  }

  /// Notes that a series needs a number where it has none.
  private mutating func want(
    _ slot: Int?, _ index: inout SeriesIndex, _ position: UInt64
  ) throws(RollupError) -> Int {
    guard let slot else { throw .undecodable(position: position) }
    if index.numbers[slot] == SeriesIndex.unnumbered {
      index.setNumber(SeriesIndex.wanted, of: slot)
      wanted.append(
        Wanted(slot: slot, firstWindow: self.position.openWindow, firstPosition: position))
    }
    return slot
  }

  private mutating func advance(to nextPosition: UInt64, _ time: Instant) {
    position.nextPosition = max(position.nextPosition, nextPosition)
    position.reportedTime = max(position.reportedTime, time)
    enter(time.hour, at: position.nextPosition)
  }

  /// Ends the open window where `hour` is a later one: what stands at `position` and after it is not in it.
  @inline(__always)
  private mutating func enter(_ hour: Hour, at position: UInt64) {
    if hour > self.position.openWindow { close(upTo: hour, at: position) }
  }

  private mutating func close(upTo hour: Hour, at position: UInt64) {
    closedCount = size
    windows[windows.count - 1].endPosition = position
    windows[windows.count - 1].missing = sources.behind(windows[windows.count - 1].window)
    // Nothing is known of an idle hour; of the first window there may be something in the database.
    if windows.count > 1 && windows[windows.count - 1].isEmpty { windows.removeLast() }
    windows.append(Window(window: hour))
    self.position.openWindow = hour
  }
}

/// One event as it counts.
private struct CountedEvent {
  var slot: Int
  var usageStart: Int64
  var usageEnd: Int64
  var attos: Int128
  var position: UInt64

  /// Whether it is one that the collector may have accepted.
  @inline(__always) var isCountable: Bool {
    usageStart <= usageEnd && attos.magnitude <= Quantity.max.attos.magnitude
  }
}

extension Rollup {
  @inline(__always)
  private mutating func add(_ event: CountedEvent) {
    let last = windows.count - 1
    let hour = event.usageStart.flooredDivision(by: Instant.nanosecondsPerHour)
    if event.usageEnd <= (hour + 1) * Instant.nanosecondsPerHour {
      windows[last].sums.add(
        event.attos, slot: event.slot, hour: hour, position: event.position)
    } else {
      addParts(event)
    }
  }

  private mutating func addParts(_ event: CountedEvent) {
    guard let quantity = Quantity(attos: event.attos) else { return }
    let split = UsageSplit(
      start: Instant(nanoseconds: event.usageStart), end: Instant(nanoseconds: event.usageEnd),
      quantity: quantity)
    for (hour, part) in split {
      windows[windows.count - 1].sums.add(
        part.attos, slot: event.slot, hour: hour.index, position: event.position)
    }
  }

  /// An event without duration belongs to its hour; an end on the hour does not touch the next.
  private mutating func addSamples(
    _ event: CountedEvent, _ id: SampleID, _ kind: Aggregation, isRemoval: Bool
  ) {
    guard let quantity = Quantity(attos: event.attos) else { return }
    let (start, end) = (
      Instant(nanoseconds: event.usageStart), Instant(nanoseconds: event.usageEnd)
    )
    var hour = start.hour
    repeat {
      let sample = UsageSample(
        key: SeriesHour(series: Int64(event.slot), usageHour: hour), kind: kind, event: id,
        usageStart: start, usageEnd: end, position: event.position, quantity: quantity)
      windows[windows.count - 1].samples.append(SampleChange(sample, isRemoval: isRemoval))
      hour = hour.next
    } while hour.start < end
  }
}

extension Rollup {
  /// What is to be counted, with the numbers of the series; and what belongs to series that have none.
  func changes(_ index: SeriesIndex) -> (changes: [WindowChange], unnumbered: [UnappliedQuantity]) {
    var unnumbered: [UnappliedQuantity] = []
    let changes = windows.map { window in
      var change = WindowChange(
        window: window.window, endPosition: window.endPosition, missing: window.missing)
      func setAside(_ hour: Hour, _ attos: Int128, _ position: UInt64) {
        guard let quantity = Quantity(attos: attos) else { return }
        unnumbered.append(
          UnappliedQuantity(
            window: window.window, series: nil, usageHour: hour, quantity: quantity,
            position: position, reason: "the subscription has more series than can be numbered"))
      }
      change.sums.reserveCapacity(window.sums.entries.count)
      for entry in window.sums.entries {
        let (number, hour) = (index.numbers[entry.slot], Hour(index: entry.hour))
        guard number > 0 else {
          setAside(hour, entry.sum, entry.position)
          continue
        }
        change.sums.append(
          SumDelta(
            key: SeriesHour(series: number, usageHour: hour), sum: entry.sum, least: entry.least,
            greatest: entry.isTooLarge ? .max : entry.greatest, position: entry.position))
      }
      change.sums.sort { $0.key < $1.key }
      for var entry in window.samples {
        let number = index.numbers[Int(entry.sample.key.series)]
        guard number > 0 else {
          let sample = entry.sample
          setAside(
            sample.key.usageHour,
            entry.isRemoval ? sample.quantity.negated.attos : sample.quantity.attos,
            sample.position)
          continue
        }
        entry.sample.key = SeriesHour(series: number, usageHour: entry.sample.key.usageHour)
        change.samples.append(entry)
      }
      return change
    }
    return (changes, unnumbered)
  }
}
