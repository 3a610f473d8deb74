internal import StackmeterCore

/// How the tables are made, and how those of an older version become those of today: in one transaction, so that what
/// is interrupted has not begun.
extension SQLite {
  func makeTables(cell: String) throws(StoreError) {
    // The table `meter` is the same in version 1.
    let tables = SQLiteSchema.tables.replacing(
      "CREATE TABLE meter", with: "CREATE TABLE IF NOT EXISTS meter")
    try execute(tables)
    let pipeline = try prepare("INSERT INTO pipeline VALUES (1, ?, 1, 0, 0, 0, 0, 0)")
    pipeline.bind(1, cell)
    try pipeline.run()
  }

  func finishTables() throws(StoreError) {
    try execute(SQLiteSchema.triggers)
    try execute(SQLiteSchema.views)
    try execute("PRAGMA application_id = \(SQLiteSchema.applicationID)")
  }

  /// Adds what version 3 does not have.
  func addBilling() throws(StoreError) {
    try execute(SQLiteBillingSchema.tables)
    try execute(SQLiteBillingSchema.triggers)
    try execute(SQLiteBillingSchema.views)
  }

  /// Adds what version 4 does not have.
  func addBudgets() throws(StoreError) {
    try execute(SQLiteBudgetSchema.text)
    try execute("PRAGMA user_version = \(SQLiteSchema.version)")
  }

  func setVersion1Aside() throws(StoreError) {
    try execute(
      """
      DROP VIEW usage;
      DROP TRIGGER closed_insert;
      DROP TRIGGER closed_update;
      DROP TRIGGER closed_delete;
      DROP TRIGGER window_never_reopens;
      ALTER TABLE aggregate RENAME TO aggregate_1;
      ALTER TABLE series RENAME TO series_1;
      ALTER TABLE pipeline RENAME TO pipeline_1;
      ALTER TABLE unapplied RENAME TO unapplied_1;
      """)
  }
}

extension SQLiteUsageStore {
  /// Takes over what version 1 had. Its meters were sums, all of them. Where its windows ended was not written down,
  /// so their end positions are 0.
  func moveVersion1() throws(StoreError) {
    try connection.execute(
      """
      CREATE TABLE number_1 (old INTEGER PRIMARY KEY, new INTEGER NOT NULL) STRICT;
      CREATE TABLE first_1 (series INTEGER PRIMARY KEY, window INTEGER NOT NULL) STRICT;
      INSERT INTO first_1 SELECT series, min(window) FROM aggregate_1 GROUP BY series;
      """)
    try numberVersion1()
    try connection.execute(
      """
      INSERT INTO aggregate
        SELECT a.window, n.new, a.window - a.usage_hour, a.units, a.attos
        FROM aggregate_1 a JOIN number_1 n ON n.old = a.series ORDER BY 1, 2, 3 DESC;
      INSERT INTO unapplied (position, window, series, usage_hour, units, attos, reason)
        SELECT u.position, u.window, n.new, u.usage_hour, u.units, u.attos,
          'the aggregate would be too large'
        FROM unapplied_1 u JOIN number_1 n ON n.old = u.series ORDER BY u.id;
      INSERT INTO rule SELECT DISTINCT meter, 1, 0, 'sum', NULL, NULL FROM series;
      UPDATE pipeline SET (next_position, reported_time, open_window, journal_id)
        = (SELECT next_position, reported_time, open_window, journal_id FROM pipeline_1);
      """)
    let position = try position()
    let next = try connection.prepare(
      "SELECT min(window) FROM aggregate WHERE window >= ? AND window < ?")
    var from = Int64.min
    while true {
      next.bind(1, from)
      next.bind(2, position.openWindow.index)
      _ = try next.step()
      let found = next.isNull(0) ? nil : Hour(index: next.integer(0))
      next.reset()
      guard let window = found else { break }
      try close(window, endPosition: 0, journalID: position.journalID)
      from = window.index + 1
    }
    for table in ["aggregate_1", "series_1", "pipeline_1", "unapplied_1", "number_1", "first_1"] {
      try connection.execute("DROP TABLE \(table)")
    }
  }

  /// Gives every series of version 1 its new number, in the order of the old ones.
  private func numberVersion1() throws(StoreError) {
    let select = try connection.prepare(
      """
      SELECT s.id, s.subscription, s.meter, s.resource_uri, s.location, s.tags, s.additional_info,
        coalesce(f.window, (SELECT open_window FROM pipeline_1))
      FROM series_1 s LEFT JOIN first_1 f ON f.series = s.id ORDER BY s.id
      """)
    let insert = try connection.prepare("INSERT INTO number_1 VALUES (?, ?)")
    while try select.step() {
      let series = Series(
        subscription: select.text(1), meter: select.text(2),
        resource: Resource(
          uri: select.text(3), location: select.text(4), tags: select.text(5),
          additionalInfo: select.text(6)))
      let new = NewSeries(series, firstWindow: Hour(index: select.integer(7)), firstPosition: 0)
      guard let number = try intern([new])[0] else {
        throw StoreError(.system, "\(series.subscription) has more series than can be numbered")
      }
      insert.bind(1, select.integer(0))
      insert.bind(2, number)
      try insert.run()
    }
  }
}
