package import StackmeterCore

/// The one writer of a usage database in SQLite.
package final class SQLiteUsageStore: UsageStore {
  package let cell: String
  let connection: SQLite
  private let seriesMax: Int64
  private let selectAggregate: Statement
  private let putAggregate: Statement
  private let selectSeries: Statement
  private let insertSeries: Statement
  private let lastSeries: Statement
  private let selectSubscription: Statement
  private let insertSubscription: Statement
  private let selectRows: Statement
  private let updatePipeline: Statement
  private let samples: SQLiteSamples
  private var open = OpenAggregates()

  /// Opens the file, making it where there is none, and brings the tables of an older program up to date. Whoever
  /// calls this holds the lock of the one writer. `seriesMax` is how many series a subscription may have.
  package init(
    path: String, cell: String = "local", seriesMax: Int64 = SeriesNumbers.seriesMax
  ) throws(StoreError) {
    connection = try SQLite(path, .writer)
    for pragma in [
      "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF",
      "cell_size_check=ON", "temp_store=MEMORY", "journal_size_limit=67108864",
      "cache_size=-131072",
    ] {
      try connection.execute("PRAGMA \(pragma)")
    }
    self.cell = cell
    self.seriesMax = seriesMax
    let found = try connection.schemaVersion()
    guard found <= SQLiteSchema.version else { throw SQLiteSchema.newer(found, path) }
    guard found != SQLiteSchema.draftVersion else { throw SQLiteSchema.older(found, path) }
    // What is interrupted in here begins again at the next start.
    if found < SQLiteSchema.version {
      try connection.execute("BEGIN EXCLUSIVE")
      if found == 1 { try connection.setVersion1Aside() }
      if found < SQLiteSchema.usageVersion { try connection.makeTables(cell: cell) }
    }
    selectAggregate = try connection.prepare(
      "SELECT units, attos FROM aggregate WHERE window = ? AND series = ? AND lag = ?")
    putAggregate = try connection.prepare(
      """
      INSERT INTO aggregate VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET units = excluded.units, attos = excluded.attos
      """)
    selectSeries = try connection.prepare(
      """
      SELECT s.id FROM series s JOIN subscription n
        ON n.id = s.id >> \(SeriesNumbers.bitsWithinSubscription)
      WHERE s.digest = ? AND n.name = ? AND s.meter = ? AND s.resource_uri = ?
        AND s.location = ? AND s.tags = ? AND s.additional_info = ?
      """)
    insertSeries = try connection.prepare(
      "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
    lastSeries = try connection.prepare("SELECT max(id) FROM series WHERE id >= ? AND id < ?")
    selectSubscription = try connection.prepare("SELECT id FROM subscription WHERE name = ?")
    insertSubscription = try connection.prepare(
      "INSERT INTO subscription (name, first_window) VALUES (?, ?) RETURNING id")
    selectRows = try connection.prepareWindowRows()
    updatePipeline = try connection.prepare(
      """
      UPDATE pipeline SET next_position = ?, reported_time = ?, open_window = ?, journal_id = ?,
        samples_from = ?
      """)
    samples = try SQLiteSamples(connection)
    if found < SQLiteSchema.version {
      if found == 1 { try moveVersion1() }
      if found < SQLiteSchema.usageVersion { try connection.finishTables() }
      if found < SQLiteSchema.billingVersion { try connection.addBilling() }
      try connection.addBudgets()
      try connection.execute("COMMIT")
    }
    try claim(path)
  }

  /// A database belongs to the cell whose journal it has counted.
  private func claim(_ path: String) throws(StoreError) {
    let stored = try connection.pipelineCell()
    guard stored != cell else { return }
    guard try position().journalID == 0 else {
      throw StoreError(
        .otherCell,
        "\(path) is the usage database of cell \"\(stored)\", and this is cell \"\(cell)\": "
          + "set cell back, or use another state directory")
    }
    let update = try connection.prepare("UPDATE pipeline SET cell = ?")
    update.bind(1, cell)
    try update.run()
  }

  package func position() throws(StoreError) -> PipelinePosition {
    try connection.pipelinePosition()
  }

  package func rules() throws(StoreError) -> [MeterRule] {
    try connection.meterRules()
  }

  package func replaceCatalog(_ catalog: MeterCatalog) throws(StoreError) {
    let put = try connection.prepare(
      """
      INSERT INTO meter VALUES (?1, ?2, ?3, ?4, ?5, coalesce((SELECT aggregation FROM rule
        WHERE meter = ?1 ORDER BY number DESC LIMIT 1), ?6), ?7)
      ON CONFLICT DO UPDATE SET
      name = excluded.name, unit = excluded.unit, category = excluded.category,
      resource_provider = excluded.resource_provider, aggregation = excluded.aggregation,
      billable = excluded.billable
      """)
    try connection.transaction { () throws(StoreError) in
      try connection.execute("DELETE FROM meter WHERE id NOT IN (SELECT meter FROM rule)")
      for meter in catalog.meters {
        put.bind(1, meter.id)
        put.bind(2, meter.name)
        put.bind(3, meter.unit)
        put.bind(4, meter.category)
        put.bind(5, meter.resourceProvider)
        put.bind(6, meter.aggregation.rawValue)
        put.bind(7, meter.isBillable ? 1 : 0)
        try put.run()
      }
    }
  }

  package func replaceDirectory(_ directory: SubscriptionDirectory) throws(StoreError) {
    let insert = try connection.prepare("INSERT INTO directory VALUES (?, ?, ?, ?, ?, ?)")
    let insertTenancy = try connection.prepare("INSERT INTO tenancy VALUES (?, ?, ?, ?)")
    try connection.transaction { () throws(StoreError) in
      try connection.execute("DELETE FROM directory; DELETE FROM tenancy")
      for subscription in directory.subscriptions {
        insert.bind(1, subscription.id)
        insert.bind(2, subscription.displayName)
        insert.bind(3, subscription.owner)
        insert.bind(4, subscription.costCenter)
        insert.bind(5, subscription.tags)
        insert.bind(6, subscription.state.rawValue)
        try insert.run()
      }
      for tenancy in directory.tenancies {
        insertTenancy.bind(1, tenancy.provider)
        insertTenancy.bind(2, tenancy.subscription)
        insertTenancy.bind(3, tenancy.hours.lowerBound.index)
        insertTenancy.bind(4, tenancy.hours.upperBound.index)
        try insertTenancy.run()
      }
    }
  }

  package func close() {
    connection.close()
  }

  package func begin() throws(StoreError) {
    try connection.execute("BEGIN IMMEDIATE")
  }

  package func rollback() {
    // Nothing to undo where SQLite has rolled back already.
    try? connection.execute("ROLLBACK")
    open.forget()
  }

  package func commit(_ position: PipelinePosition) throws(StoreError) {
    updatePipeline.bind(1, Int64(bitPattern: position.nextPosition))
    updatePipeline.bind(2, position.reportedTime.nanoseconds)
    updatePipeline.bind(3, position.openWindow.index)
    updatePipeline.bind(4, Int64(bitPattern: position.journalID))
    updatePipeline.bind(5, position.samplesFrom.index)
    try updatePipeline.run()
    try connection.execute("COMMIT")
  }
}

extension SQLiteUsageStore {
  package func put(rules: [MeterRule]) throws(StoreError) {
    guard !rules.isEmpty else { return }
    let put = try connection.prepare(
      "INSERT INTO rule VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
    let show = try connection.prepare("UPDATE meter SET aggregation = ? WHERE id = ?")
    for rule in rules {
      put.bind(1, rule.meter)
      put.bind(2, rule.number)
      put.bind(3, Int64(bitPattern: rule.fromPosition))
      put.bind(4, rule.aggregation.rawValue)
      if let restatement = rule.restatement {
        put.bind(5, restatement.window.index)
        put.bind(6, restatement.fromHour.index)
      } else {
        put.bindNull(5)
        put.bindNull(6)
      }
      try put.run()
      show.bind(1, rule.aggregation.rawValue)
      show.bind(2, rule.meter)
      try show.run()
    }
  }

  package func intern(_ series: [NewSeries]) throws(StoreError) -> [Int64?] {
    var numbers: [Int64?] = []
    numbers.reserveCapacity(series.count)
    for new in series { numbers.append(try intern(new)) }
    return numbers
  }

  private func intern(_ new: NewSeries) throws(StoreError) -> Int64? {
    let series = new.series
    let digest = StoreDigest.series(series)
    selectSeries.bind(1, digest)
    selectSeries.bind(2, series.subscription)
    selectSeries.bindTexts(3, of: series)
    if try selectSeries.step() {
      defer { selectSeries.reset() }
      return selectSeries.integer(0)
    }
    guard let number = try nextNumber(of: series.subscription, new.firstWindow) else { return nil }
    insertSeries.bind(1, number)
    insertSeries.bind(2, digest)
    insertSeries.bind(3, new.firstWindow.index)
    insertSeries.bind(4, Int64(bitPattern: new.firstPosition))
    insertSeries.bindTexts(5, of: series)
    try insertSeries.run()
    return number
  }

  /// The number for one more series of a subscription; nil where it has none left.
  private func nextNumber(
    of subscription: String, _ firstWindow: Hour
  ) throws(StoreError) -> Int64? {
    selectSubscription.bind(1, subscription)
    if try !selectSubscription.step() {
      insertSubscription.bind(1, subscription)
      insertSubscription.bind(2, firstWindow.index)
      _ = try insertSubscription.step()
      let id = insertSubscription.integer(0)
      try insertSubscription.run()
      guard id <= SeriesNumbers.subscriptionsMax else {
        throw StoreError(.system, "there are more subscriptions than can be numbered")
      }
      return SeriesNumbers.range(ofSubscription: id).lowerBound + 1
    }
    let range = SeriesNumbers.range(ofSubscription: selectSubscription.integer(0))
    selectSubscription.reset()
    lastSeries.bind(1, range.lowerBound)
    lastSeries.bind(2, range.upperBound)
    _ = try lastSeries.step()
    defer { lastSeries.reset() }
    let last = max(lastSeries.integer(0), range.lowerBound)
    return last - range.lowerBound < seriesMax ? last + 1 : nil
  }

  package func aggregates(
    of window: Hour, _ keys: [SeriesHour]
  ) throws(StoreError) -> [Quantity?] {
    if open.window != window {
      let exists = try connection.prepare(
        "SELECT EXISTS (SELECT 1 FROM aggregate WHERE window = ?)")
      exists.bind(1, window.index)
      _ = try exists.step()
      open.begin(window, isEmpty: exists.integer(0) == 0)
    }
    var (known, missing) = open.look(keys)
    selectAggregate.bind(1, window.index)
    for place in missing {
      let key = keys[place]
      selectAggregate.bind(2, key.series)
      selectAggregate.bind(3, window.index - key.usageHour.index)
      guard try selectAggregate.step() else { continue }
      defer { selectAggregate.reset() }
      let quantity = try connection.quantity(selectAggregate, 0)
      known[place] = quantity
      open.remember(quantity, of: key)
    }
    return known
  }

  package func put(
    aggregates: [(key: SeriesHour, quantity: Quantity)], of window: Hour
  ) throws(StoreError) {
    putAggregate.bind(1, window.index)
    for (key, quantity) in aggregates {
      putAggregate.bind(2, key.series)
      putAggregate.bind(3, window.index - key.usageHour.index)
      putAggregate.bind(4, quantity.units)
      putAggregate.bind(5, quantity.remainingAttos)
      try putAggregate.run()
      if open.window == window { open.remember(quantity, of: key) }
    }
  }

  package func greatestSamples(
    _ keys: [SeriesHour], of kind: Aggregation
  ) throws(StoreError) -> [Quantity?] {
    try samples.greatest(keys, of: kind)
  }

  package func hasSamples(_ values: [SampleValue]) throws(StoreError) -> [Bool] {
    try samples.contains(values)
  }

  package func remove(samples removed: [UsageSample]) throws(StoreError) -> [Bool] {
    try samples.remove(removed)
  }

  package func insert(samples inserted: [UsageSample]) throws(StoreError) {
    try samples.insert(inserted)
  }

  package func keepAside(_ quantities: [UnappliedQuantity]) throws(StoreError) {
    guard !quantities.isEmpty else { return }
    let insert = try connection.prepare(
      """
      INSERT INTO unapplied (position, window, series, usage_hour, units, attos, reason)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      """)
    for entry in quantities {
      insert.bind(1, Int64(bitPattern: entry.position))
      insert.bind(2, entry.window.index)
      if let series = entry.series { insert.bind(3, series) } else { insert.bindNull(3) }
      insert.bind(4, entry.usageHour.index)
      insert.bind(5, entry.quantity.units)
      insert.bind(6, entry.quantity.remainingAttos)
      insert.bind(7, entry.reason)
      try insert.run()
    }
  }

  package func lastWindowHash() throws(StoreError) -> [UInt8]? {
    let select = try connection.prepare(
      "SELECT hash FROM closed_window ORDER BY window DESC LIMIT 1")
    defer { select.reset() }
    return try select.step() ? select.bytes(0) : nil
  }

  package func rows(
    of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow] {
    try connection.windowRows(selectRows, of: window, after: key, limit: limit)
  }

  package func put(window: ClosedWindow) throws(StoreError) {
    let insert = try connection.prepare("INSERT INTO closed_window VALUES (?, ?, ?, ?, ?)")
    insert.bind(1, window.window.index)
    insert.bind(2, Int64(bitPattern: window.endPosition))
    insert.bind(3, Int64(bitPattern: window.rowCount))
    insert.bind(4, window.oldestUsage.index)
    insert.bind(5, window.hash)
    try insert.run()
  }

  package func sources() throws(StoreError) -> [ReportingSource] {
    try connection.declaredSources()
  }

  package func put(sources: [ReportingSource], removing names: [String]) throws(StoreError) {
    let put = try connection.prepare("INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?, ?)")
    for source in sources {
      put.bind(1, source.name)
      put.bind(2, Int64(source.cadenceSeconds))
      put.bind(3, source.completeUntil.nanoseconds)
      put.bind(4, source.heardTime.nanoseconds)
      put.bind(5, Int64(bitPattern: source.position))
      try put.run()
    }
    let delete = try connection.prepare("DELETE FROM source WHERE name = ?")
    for name in names {
      delete.bind(1, name)
      try delete.run()
    }
  }

  package func put(missing: MissingSources, of window: Hour) throws(StoreError) {
    let insert = try connection.prepare("INSERT INTO window_missing VALUES (?, ?, ?)")
    var names = JSONWriter()
    names.array { writer in for name in missing.names { writer.string(name) } }
    insert.bind(1, window.index)
    insert.bind(2, String(decoding: names.bytes, as: UTF8.self))
    insert.bind(3, Int64(bitPattern: missing.others))
    try insert.run()
  }

  package func retain(from window: Hour) throws(StoreError) {
    let update = try connection.prepare("UPDATE pipeline SET retained_from = max(retained_from, ?)")
    update.bind(1, window.index)
    try update.run()
  }

  package func removeAggregates(limit: Int) throws(StoreError) -> Int {
    try connection.transaction { () throws(StoreError) in
      let delete = try connection.prepare(
        """
        DELETE FROM aggregate WHERE (window, series, lag) IN (
          SELECT window, series, lag FROM aggregate
          WHERE window < min((SELECT retained_from FROM pipeline),
            (SELECT open_window FROM pipeline))
          ORDER BY window LIMIT ?)
        """)
      delete.bind(1, Int64(limit))
      try delete.run()
      let removed = connection.changes
      try connection.execute(
        "DELETE FROM window_missing WHERE window < (SELECT retained_from FROM pipeline)")
      return removed
    }
  }

  package func removeSamples(limit: Int) throws(StoreError) -> Int {
    try connection.transaction { () throws(StoreError) in
      try samples.removeExpired(limit: limit)
    }
  }
}

extension Statement {
  /// Binds the texts of a series, without its subscription.
  func bindTexts(_ first: Int32, of series: Series) {
    bind(first, series.meter)
    bind(first + 1, series.resource.uri)
    bind(first + 2, series.resource.location)
    bind(first + 3, series.resource.tags)
    bind(first + 4, series.resource.additionalInfo)
  }
}
