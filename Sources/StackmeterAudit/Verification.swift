internal import StackmeterCore
package import StackmeterJournal
package import StackmeterStore

/// What a verification has looked at, and what it has found.
package struct VerificationReport: Hashable, Sendable {
  /// The first differences are told; all are counted.
  package static let differencesMax = 20

  /// The positions of the journal that were recounted.
  package var positions: Range<UInt64> = 1..<1
  package var events: UInt64 = 0
  /// Closed windows that were compared, and how many of their hashes could be made anew.
  package var windows: UInt64 = 0
  package var hashes: UInt64 = 0
  package var rows: UInt64 = 0
  package var series: UInt64 = 0
  /// Rows that the journal does not suffice for.
  package var incomparableRows: UInt64 = 0
  /// Windows in front of what the journal can tell, and whose rows the retention of the usage database has removed.
  package var skippedWindows: UInt64 = 0
  package var removedWindows: UInt64 = 0
  package var differences: [String] = []
  package var differenceCount: UInt64 = 0

  package init() {}

  package var isGood: Bool { differenceCount == 0 }

  mutating func add(_ difference: String) {
    differenceCount += 1
    if differences.count < VerificationReport.differencesMax { differences.append(difference) }
  }
}

/// Recounts a usage database from the journal's files with an implementation of its own, and compares everything: rows,
/// series and their numbers, rules, where windows ended, the chain of hashes, declared sources, and those that were
/// behind when a window closed.
///
/// Reads only, while the services run. What is compared is the database as it stands once the closed windows of the
/// beginning were compared, the open window included.
package struct Verification {
  static let rowsPerRead = 10_000
  private static let windowsPerRead = 1000
  private static let setAsideMax = 1_000_000
  private static let positionsPerTelling: UInt64 = 1_000_000

  let reader: any UsageReader
  private var walk: JournalWalk
  let firstPosition: UInt64
  private(set) var recount: Recount
  let cell: String
  var report = VerificationReport()
  private let progress: (UInt64, UInt64) -> Void

  /// Where the comparison is to end, and what the usage database has there.
  struct Target {
    let position: PipelinePosition
    /// Ascending.
    let closed: [ClosedWindow]
    let setAside: SetAside
    /// The sources that were behind, of closed windows that miss any.
    let missing: [Hour: MissingSources]
  }

  private(set) var target: Target
  /// The next of the target's closed windows.
  var nextClosed = 0
  var previousHash: [UInt8]?
  /// The first window of a journal that has lost its beginning is not whole.
  var isFirstWhole: Bool

  /// `latenessLimitDays` is how old the usage may be that is reported or corrected. `progress` is told the position
  /// that was reached and the one to reach.
  package init(
    reader: any UsageReader, disk: any Disk, journalDirectory: String, latenessLimitDays: Int,
    seriesMax: Int64 = SeriesNumbers.seriesMax,
    progress: @escaping (_ position: UInt64, _ end: UInt64) -> Void = { _, _ in }
  ) throws(AuditError) {
    self.reader = reader
    self.progress = progress
    let first = try journal { () throws(RecordLogError) in
      try LogTail.firstPosition(disk, journalDirectory)
    }
    guard let first else { throw .noJournal(journalDirectory) }
    firstPosition = first
    isFirstWhole = first <= 1
    walk = JournalWalk(disk: disk, directory: journalDirectory, from: first)
    cell = try store { () throws(StoreError) in try reader.cell() }
    // Both of one moment: no rule is newer than what was counted.
    let (rules, position) = try store { () throws(StoreError) in
      try reader.snapshot { (reader) throws(StoreError) in
        (try reader.rules(), try reader.position())
      }
    }
    target = try Verification.target(reader, at: position)
    var (firstWindow, unknownBefore) = (Hour(index: 0), Int64.min)
    var series = AuditedSeries(seriesMax: seriesMax)
    try Verification.forEachSeries(reader) { stored in
      if stored.firstPosition < first { series.adopt(stored) }
    }
    if first > 1, target.position.nextPosition > first, let record = try walk.peek(try walk.tail())
    {
      firstWindow = record.firstTime.hour
      // Usage may be reported an hour ahead.
      unknownBefore = firstWindow.index + 2
    }
    let sampleHours = Verification.sampleHours(latenessLimitDays)
    recount = Recount(
      from: first, in: firstWindow, rules: rules, series: series, sampleHours: sampleHours,
      samplesUnknownBefore: unknownBefore
    ) { (rule) throws(AuditError) in
      var usage = RestatedUsage(rule, sampleHours: sampleHours)
      try usage.run(disk: disk, directory: journalDirectory, from: first)
      return usage
    }
  }

  /// Twice as long as the aggregator keeps samples, so that a limit which was lowered makes no difference.
  private static func sampleHours(_ latenessLimitDays: Int) -> Int64 {
    2 * (Int64(latenessLimitDays) * 24 + 48)
  }

  static func forEachSeries(
    _ reader: any UsageReader, _ body: (StoredSeries) throws(AuditError) -> Void
  ) throws(AuditError) {
    var after: Int64 = 0
    while true {
      let page = try store { () throws(StoreError) in
        try reader.series(after: after, limit: rowsPerRead)
      }
      guard let last = page.last else { return }
      for stored in page { try body(stored) }
      after = last.number
    }
  }

  /// Compares everything.
  package mutating func run() throws(AuditError) -> VerificationReport {
    // Mostly closed windows, which take their time; then what has come meanwhile, with the open window.
    try recount(upTo: target.position.nextPosition)
    let (openRows, position, rules, sources) = try openWindow()
    recount.adopt(rules)
    target = try Verification.target(reader, at: position)
    try recount(upTo: position.nextPosition)
    try recount(until: position.reportedTime)
    try enter(position.openWindow)
    try compareOpen(openRows)
    for missing in target.closed[nextClosed...] {
      report.add(
        "window \(missing.window): the usage database has closed it with \(missing.rowCount) "
          + "aggregates, but the journal has nothing for it")
    }
    for difference in recount.sources.differences(from: sources) { report.add(difference) }
    try compareSeries(position)
    for meter in recount.unruled.map(\.text).sorted() {
      report.add("meter \(meter): the usage database has no rule that says how it is counted")
    }
    report.positions = firstPosition..<max(firstPosition, position.nextPosition)
    report.events = recount.events
    return report
  }
}

extension Verification {
  /// The closed windows and what was kept aside, now or up to a position.
  private static func target(
    _ reader: any UsageReader, at position: PipelinePosition
  ) throws(AuditError) -> Target {
    var closed: [ClosedWindow] = []
    var before = position.openWindow
    while true {
      let page = try store { () throws(StoreError) in
        try reader.closedWindows(before: before, limit: windowsPerRead)
      }
      guard let last = page.last else { break }
      closed += page
      before = last.window
    }
    let aside = try store { () throws(StoreError) in try reader.unapplied(limit: setAsideMax + 1) }
    guard aside.count <= setAsideMax else { throw .tooManySetAside(limit: setAsideMax) }
    return Target(
      position: position, closed: closed.reversed(),
      setAside: SetAside(aside, before: position.nextPosition),
      missing: try missing(reader, before: position.openWindow))
  }

  /// Of closed windows.
  private static func missing(
    _ reader: any UsageReader, before open: Hour
  ) throws(AuditError) -> [Hour: MissingSources] {
    var missing: [Hour: MissingSources] = [:]
    var before = open
    while true {
      let page = try store { () throws(StoreError) in
        try reader.windows(before: before, limit: windowsPerRead)
      }
      guard let last = page.last else { return missing }
      for window in page where !window.missingAtClose.isEmpty {
        missing[window.hour] = window.missingAtClose
      }
      before = last.hour
    }
  }

  /// The rows of the open window, the position that they are of, and the rules and declared sources there.
  private func openWindow() throws(AuditError) -> (
    rows: [WindowRow], position: PipelinePosition, rules: [MeterRule],
    sources: [ReportingSource]
  ) {
    try store { () throws(StoreError) in
      try reader.snapshot { (reader) throws(StoreError) in
        let (position, sources) = (try reader.position(), try reader.sources())
        var rows: [WindowRow] = []
        while true {
          let page = try reader.rows(
            of: position.openWindow, after: rows.last?.key, limit: Verification.rowsPerRead)
          guard !page.isEmpty else { return (rows, position, try reader.rules(), sources) }
          rows += page
        }
      }
    }
  }

  /// Recounts the journal up to a position, and compares each window that is over.
  private mutating func recount(upTo end: UInt64) throws(AuditError) {
    guard end > recount.nextPosition else { return }
    let tail = try walk.tail()
    var told = recount.nextPosition
    while recount.nextPosition < end {
      guard let record = try walk.peek(tail) else {
        throw .journalEnds(position: recount.nextPosition, expected: end)
      }
      if let id = walk.id, let read = LogID(rawValue: target.position.journalID), read != id {
        throw .otherJournal(id, read: read)
      }
      if try recount.take(record, upTo: end) { walk.pass() }
      for window in recount.takeFinished() { try compare(window) }
      if recount.nextPosition - told >= Verification.positionsPerTelling
        || recount.nextPosition >= end
      {
        told = recount.nextPosition
        progress(told, end)
      }
    }
  }

  /// Takes what takes no position, as far as the usage database has it: heartbeats, above all.
  private mutating func recount(until time: Instant) throws(AuditError) {
    let tail = try walk.tail()
    while let record = try walk.peek(tail), record.count == 0, record.firstTime <= time {
      if try recount.take(record, upTo: recount.nextPosition) { walk.pass() }
      for window in recount.takeFinished() { try compare(window) }
    }
  }

  /// Ends what the usage database has ended at its position.
  private mutating func enter(_ hour: Hour) throws(AuditError) {
    try recount.enter(hour)
    try recount.replaceRules()
    for window in recount.takeFinished() { try compare(window) }
  }
}
