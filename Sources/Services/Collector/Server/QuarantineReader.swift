internal import StackmeterCore
internal import StackmeterJournal

/// A refused event as it stands in the quarantine's log, with all that its row form cannot carry.
struct RefusedEvent: Sendable {
  let number: UInt64
  let refusedTime: Instant
  let refusal: Refusal
  /// The event alone.
  let event: EventBatch

  /// Nil where the record is of another kind.
  init?(_ record: Record) {
    guard let (refusal, event) = record.refusedEvent else { return nil }
    number = record.firstPosition
    refusedTime = record.firstTime
    self.refusal = refusal
    self.event = event
  }

  func entry(_ resolution: QuarantineResolution?) -> QuarantineEntry {
    QuarantineEntry(
      number: number, refusedTime: refusedTime, refusal: refusal, event: event.event(0),
      resolution: resolution)
  }
}

/// Reads what is durable in the quarantine, while its owner writes. Blocks: not for tasks.
struct QuarantineReader: Sendable {
  /// What one call reads at most before it gives what it has found so far.
  static let scanBytesMax = 8 << 20

  let disk: any Disk
  let directory: String
  let view: QuarantineView

  /// Some entries, ascending.
  struct Page: Sendable {
    var events: [RefusedEvent] = []
    /// Nothing up to this number is missing.
    var lastNumber: UInt64
    /// There may be others after it.
    var hasMore = false
  }

  /// The first `countMax` entries after `number` that match, and no more than `bytesMax` of them.
  func page(
    after number: UInt64, matching filter: QuarantineFilter, isOpenOnly: Bool, countMax: Int,
    bytesMax: Int
  ) throws(RecordLogError) -> Page {
    try whileThere { () throws(RecordLogError) in
      let tail = view.tail
      let start = max(number, view.firstNumber - 1)
      guard start < tail.nextPosition - 1 else { return Page(lastNumber: number) }
      var page = Page(lastNumber: number)
      var (bytes, scanned) = (0, 0)
      var reader = LogReader(disk: disk, directory: directory, fromPosition: start + 1)
      while let chunk = try reader.next(upTo: tail) {
        for record in Record.all(in: chunk.bytes, of: chunk.id) {
          let number = record.firstPosition
          guard record.kind == .refusal, number > start,
            !isOpenOnly || view.resolution(of: number) == nil, let event = RefusedEvent(record),
            filter.matches(event)
          else { continue }
          bytes += record.byteCount
          guard page.events.count < countMax, page.events.isEmpty || bytes <= bytesMax else {
            page.hasMore = true
            return page
          }
          page.events.append(event)
          page.lastNumber = number
        }
        page.lastNumber = chunk.nextPosition - 1
        scanned += chunk.bytes.count
        guard scanned < QuarantineReader.scanBytesMax else {
          page.hasMore = chunk.nextPosition < tail.nextPosition
          return page
        }
      }
      return page
    }
  }

  /// The entries of these numbers, ascending; those that are not there are left out.
  func events(_ numbers: [UInt64]) throws(RecordLogError) -> [RefusedEvent] {
    try whileThere { () throws(RecordLogError) in
      let tail = view.tail
      let wanted = Set(numbers.filter { view.state(of: $0) != .absent })
      var events: [RefusedEvent] = []
      var rest = wanted.sorted()[...]
      while let first = rest.first {
        // One reader as far as the numbers are near each other; each begins at a segment's start.
        var reader = LogReader(disk: disk, directory: directory, fromPosition: first)
        var scanned = 0
        while let next = rest.first, scanned < QuarantineReader.nearBytes || next == first,
          let chunk = try reader.next(upTo: tail)
        {
          scanned += chunk.bytes.count
          for record in Record.all(in: chunk.bytes, of: chunk.id)
          where wanted.contains(record.firstPosition) {
            guard let event = RefusedEvent(record), event.number == rest.first else { continue }
            events.append(event)
            rest.removeFirst()
            scanned = 0
          }
        }
        // Every number has a record; one that cannot be read is no reason to look for it again.
        if rest.first == first { rest.removeFirst() }
      }
      return events
    }
  }

  /// As far as a reader goes on to the next number, instead of being made anew.
  private static let nearBytes = 4 << 20

  /// Begins again where the owner has removed what was to be read.
  private func whileThere<Result>(
    _ body: () throws(RecordLogError) -> Result
  ) throws(RecordLogError) -> Result {
    while true {
      let first = view.firstNumber
      do throws(RecordLogError) {
        return try body()
      } catch {
        guard view.firstNumber != first else { throw error }
      }
    }
  }
}

extension QuarantineFilter {
  fileprivate func matches(_ event: RefusedEvent) -> Bool {
    matches(
      event.refusal, refusedTime: event.refusedTime, source: event.event.source,
      subscription: event.event.series.first?.subscription ?? "")
  }
}
