internal import Glibc
package import StackmeterCore

/// What meters amount to in the journal by two rules, in a file of its own: first the events of each usage hour that
/// may still be corrected, in the end the differences between the two rules.
///
/// The file is a scratch pad: nobody reads it after a crash. Not safe for threads.
package final class RestateStage {
  /// What is written in one transaction in the end, and so holds up the counting.
  package struct Limits: Sendable {
    /// Events × usage hours that are kept at a time.
    package var samplesMax: Int64
    /// Series × usage hours that change.
    package var differencesMax: Int64

    package init(samplesMax: Int64 = 20_000_000, differencesMax: Int64 = 5_000_000) {
      self.samplesMax = samplesMax
      self.differencesMax = differencesMax
    }
  }

  /// Series that are remembered between events.
  private static let knownSeriesMax = 200_000
  static let rowsPerRead = 10_000

  package let changes: [RuleChange]
  let connection: SQLite
  private let limits: Limits
  private let selectSeries: Statement
  private let insertSeries: Statement
  private let insertEvent: Statement
  private let deleteEvent: Statement
  private var known: [Series: Int64] = [:]
  private(set) var sampleCount: Int64 = 0
  package private(set) var differenceCount: Int64 = 0
  /// By change. `series` is complete after `finish`.
  package private(set) var meters: [RestatedMeter]

  /// A new file at `path`, in place of what may be there.
  package init(path: String, _ changes: [RuleChange], limits: Limits = Limits()) throws(StoreError)
  {
    self.changes = changes
    self.limits = limits
    meters = changes.map { RestatedMeter($0) }
    try RestateStage.remove(path)
    connection = try SQLite(path, .writer)
    for pragma in [
      "journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-65536",
    ] {
      try connection.execute("PRAGMA \(pragma)")
    }
    try connection.execute(RestateStage.tables)
    selectSeries = try connection.prepare(
      """
      SELECT id FROM series WHERE digest = ? AND subscription = ? AND meter = ?
        AND resource_uri = ? AND location = ? AND tags = ? AND additional_info = ?
      """)
    insertSeries = try connection.prepare(
      "INSERT INTO series VALUES (NULL, ?, NULL, ?, ?, ?, ?, ?, ?, ?)")
    insertEvent = try connection.prepare(
      "INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    deleteEvent = try connection.prepare(
      """
      DELETE FROM event
      WHERE usage_hour = ? AND series = ? AND units = ? AND attos = ? AND event = ?
      """)
  }

  private static let tables = """
    CREATE TABLE series (
      id INTEGER PRIMARY KEY,
      digest INTEGER NOT NULL,
      number INTEGER,
      change INTEGER NOT NULL,
      subscription TEXT NOT NULL,
      meter TEXT NOT NULL,
      resource_uri TEXT NOT NULL,
      location TEXT NOT NULL,
      tags TEXT NOT NULL,
      additional_info TEXT NOT NULL
    ) STRICT;
    CREATE INDEX series_digest ON series (digest);
    CREATE TABLE event (
      usage_hour INTEGER NOT NULL,
      series INTEGER NOT NULL,
      units INTEGER NOT NULL,
      attos INTEGER NOT NULL,
      event BLOB NOT NULL,
      usage_start INTEGER NOT NULL,
      usage_end INTEGER NOT NULL,
      position INTEGER NOT NULL,
      part_units INTEGER NOT NULL,
      part_attos INTEGER NOT NULL,
      PRIMARY KEY (usage_hour, series, units, attos, event)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE difference (
      series INTEGER NOT NULL,
      usage_hour INTEGER NOT NULL,
      high INTEGER NOT NULL,
      low INTEGER NOT NULL,
      PRIMARY KEY (series, usage_hour)
    ) STRICT, WITHOUT ROWID;
    """

  /// Removes the file where there is one.
  package static func remove(_ path: String) throws(StoreError) {
    guard unlink(path) == 0 || errno == ENOENT else {
      throw StoreError(.system, "\(path) cannot be removed: \(String(cString: strerror(errno)))")
    }
  }

  package func transaction(_ body: () throws(StoreError) -> Void) throws(StoreError) {
    try connection.transaction("BEGIN", body)
  }

  /// An event counts from now on. `from` is the first usage hour of interest.
  package func add(
    _ event: UsageEvent, _ id: SampleID, change: Int, position: UInt64, from: Hour
  ) throws(StoreError) {
    let series = try number(event.series, change)
    insertEvent.bind(2, series)
    insertEvent.bind(3, event.quantity.units)
    insertEvent.bind(4, event.quantity.remainingAttos)
    insertEvent.bind(5, id.bytes)
    insertEvent.bind(6, event.usageStart.nanoseconds)
    insertEvent.bind(7, event.usageEnd.nanoseconds)
    insertEvent.bind(8, Int64(bitPattern: position))
    let split = UsageSplit(
      start: event.usageStart, end: event.usageEnd, quantity: event.quantity)
    for (hour, part) in split where hour >= from {
      insertEvent.bind(1, hour.index)
      insertEvent.bind(9, part.units)
      insertEvent.bind(10, part.remainingAttos)
      try insertEvent.run()
      sampleCount += 1
    }
    guard sampleCount <= limits.samplesMax else {
      throw StoreError(
        .tooLarge,
        "more than \(limits.samplesMax) events of \(changes.map(\.meter).joined(separator: ", ")) "
          + "may still be corrected, more than can be restated at once: set the catalog back, and "
          + "give the meter a new id")
    }
  }

  /// An event counts no more; nothing where it is not there.
  package func remove(_ event: UsageEvent, _ id: SampleID, change: Int) throws(StoreError) {
    let series = try number(event.series, change)
    deleteEvent.bind(2, series)
    deleteEvent.bind(3, event.quantity.units)
    deleteEvent.bind(4, event.quantity.remainingAttos)
    deleteEvent.bind(5, id.bytes)
    for (hour, _) in UsageSplit(start: event.usageStart, end: event.usageEnd, quantity: .zero) {
      deleteEvent.bind(1, hour.index)
      try deleteEvent.run()
      sampleCount -= Int64(connection.changes)
    }
  }

  private func number(_ series: Series, _ change: Int) throws(StoreError) -> Int64 {
    if let id = known[series] { return id }
    if known.count >= RestateStage.knownSeriesMax { known.removeAll(keepingCapacity: true) }
    let digest = StoreDigest.series(series)
    selectSeries.bind(1, digest)
    selectSeries.bind(2, series.subscription)
    selectSeries.bindTexts(3, of: series)
    if try selectSeries.step() {
      defer { selectSeries.reset() }
      let id = selectSeries.integer(0)
      known[series] = id
      return id
    }
    insertSeries.bind(1, digest)
    insertSeries.bind(2, Int64(change))
    insertSeries.bind(3, series.subscription)
    insertSeries.bindTexts(4, of: series)
    try insertSeries.run()
    known[series] = connection.lastRow
    return connection.lastRow
  }
}

extension RestateStage {
  /// Compares the two rules in usage hours before `hour`, which nobody can correct any more, and forgets their events.
  package func settle(before hour: Hour) throws(StoreError) {
    try compare(before: hour)
    let delete = try connection.prepare("DELETE FROM event WHERE usage_hour < ?")
    delete.bind(1, hour.index)
    try delete.run()
    sampleCount -= Int64(connection.changes)
  }

  /// Compares the two rules in all other usage hours, and keeps their events, which are the samples from then on.
  package func finish() throws(StoreError) {
    try compare(before: nil)
    let count = try connection.prepare(
      """
      SELECT change, count(*) FROM series
      WHERE id IN (SELECT DISTINCT series FROM difference) GROUP BY change
      """)
    while try count.step() { meters[Int(count.integer(0))].series = UInt64(count.integer(1)) }
  }

  /// Every usage hour comes here once.
  private func compare(before hour: Hour?) throws(StoreError) {
    let select = try connection.prepare(
      """
      SELECT e.usage_hour, e.series, s.change, e.units, e.attos, e.usage_start, e.usage_end,
        e.position, e.part_units, e.part_attos
      FROM event e CROSS JOIN series s ON s.id = e.series WHERE e.usage_hour < ?
      ORDER BY e.usage_hour, e.series, e.units, e.attos
      """)
    select.bind(1, hour?.index ?? .max)
    let insert = try connection.prepare("INSERT INTO difference VALUES (?, ?, ?, ?)")
    var levels: StagedLevels?
    while try select.step() {
      let (hour, series) = (select.integer(0), select.integer(1))
      if let done = levels, done.series != series || done.hour != hour {
        try put(done, insert)
        levels = nil
      }
      var current =
        levels ?? StagedLevels(series: series, hour: hour, change: Int(select.integer(2)))
      let (whole, part) = (
        try connection.quantity(select, 3).attos, try connection.quantity(select, 8).attos
      )
      current.add(
        whole, part: part, start: select.integer(5), end: select.integer(6),
        position: UInt64(bitPattern: select.integer(7)))
      levels = current
    }
    if let levels { try put(levels, insert) }
  }

  private func put(_ levels: StagedLevels, _ insert: Statement) throws(StoreError) {
    let change = changes[levels.change]
    guard let before = levels[change.from], let after = levels[change.to] else {
      throw StoreError(
        .overflow,
        "meter \(change.meter) has a total in usage hour \(Hour(index: levels.hour).start) that "
          + "is too large for 128 bits: it cannot be restated")
    }
    meters[levels.change].add(before: before, after: after)
    // Both are far from the ends of 128 bits unless they are totals, of which there is one.
    let (difference, overflow) = after.subtractingReportingOverflow(before)
    guard !overflow else { throw StoreError(.overflow, "a difference is too large for 128 bits") }
    guard difference != 0 else { return }
    insert.bind(1, levels.series)
    insert.bind(2, levels.hour)
    insert.bind(3, Int64(truncatingIfNeeded: difference >> 64))
    insert.bind(4, Int64(truncatingIfNeeded: difference))
    try insert.run()
    differenceCount += 1
    guard differenceCount <= limits.differencesMax else {
      throw StoreError(
        .tooLarge,
        "more than \(limits.differencesMax) usage hours of series would change, more than can be "
          + "restated at once: set the catalog back, and give the meter a new id")
    }
  }
}
