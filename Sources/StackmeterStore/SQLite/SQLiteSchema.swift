internal import StackmeterCore

/// The tables of the usage database in SQLite, version 5. README.md says what they mean.
enum SQLiteSchema {
  static let version: Int64 = 5
  /// Has all but what `SQLiteBudgetSchema` adds.
  static let billingVersion: Int64 = 4
  /// Has neither that nor what `SQLiteBillingSchema` adds.
  static let usageVersion: Int64 = 3
  /// Programs that were never released made it in several forms, so it is not brought up to date.
  static let draftVersion: Int64 = 2
  /// `SMUD` in the file's header, so that `file` and the sqlite3 shell can tell what it is.
  static let applicationID: Int64 = 0x534D_5544

  static let tables = """
    CREATE TABLE meter (
      id TEXT NOT NULL PRIMARY KEY,
      name TEXT NOT NULL,
      unit TEXT NOT NULL,
      category TEXT NOT NULL,
      resource_provider TEXT NOT NULL,
      aggregation TEXT NOT NULL,
      billable INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE rule (
      meter TEXT NOT NULL,
      number INTEGER NOT NULL,
      from_position INTEGER NOT NULL,
      aggregation TEXT NOT NULL,
      window INTEGER,
      from_hour INTEGER,
      PRIMARY KEY (meter, number)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE subscription (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      first_window INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE directory (
      name TEXT NOT NULL PRIMARY KEY,
      display_name TEXT NOT NULL,
      owner TEXT NOT NULL,
      cost_center TEXT NOT NULL,
      tags TEXT NOT NULL,
      state TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE tenancy (
      provider TEXT NOT NULL,
      subscription TEXT NOT NULL,
      from_hour INTEGER NOT NULL,
      until_hour INTEGER NOT NULL,
      PRIMARY KEY (provider, subscription, from_hour)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE series (
      id INTEGER PRIMARY KEY,
      digest INTEGER NOT NULL,
      first_window INTEGER NOT NULL,
      first_position INTEGER NOT NULL,
      meter TEXT NOT NULL,
      resource_uri TEXT NOT NULL,
      location TEXT NOT NULL,
      tags TEXT NOT NULL,
      additional_info TEXT NOT NULL
    ) STRICT;
    CREATE INDEX series_digest ON series (digest);

    CREATE TABLE aggregate (
      window INTEGER NOT NULL,
      series INTEGER NOT NULL,
      lag INTEGER NOT NULL,
      units INTEGER NOT NULL,
      attos INTEGER NOT NULL,
      PRIMARY KEY (window, series, lag DESC)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE closed_window (
      window INTEGER PRIMARY KEY,
      end_position INTEGER NOT NULL,
      row_count INTEGER NOT NULL,
      oldest_usage INTEGER NOT NULL,
      hash BLOB NOT NULL
    ) STRICT;

    CREATE TABLE source (
      name TEXT NOT NULL PRIMARY KEY,
      cadence_seconds INTEGER NOT NULL,
      complete_until INTEGER NOT NULL,
      heard_time INTEGER NOT NULL,
      position INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE window_missing (
      window INTEGER PRIMARY KEY,
      names TEXT NOT NULL,
      others INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE value_sample (
      usage_hour INTEGER NOT NULL,
      series INTEGER NOT NULL,
      units INTEGER NOT NULL,
      attos INTEGER NOT NULL,
      event BLOB NOT NULL,
      PRIMARY KEY (usage_hour, series, units, attos, event)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE time_sample (
      usage_hour INTEGER NOT NULL,
      series INTEGER NOT NULL,
      usage_end INTEGER NOT NULL,
      usage_start INTEGER NOT NULL,
      position INTEGER NOT NULL,
      event BLOB NOT NULL,
      units INTEGER NOT NULL,
      attos INTEGER NOT NULL,
      PRIMARY KEY (usage_hour, series, usage_end, usage_start, position)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE pipeline (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      cell TEXT NOT NULL,
      next_position INTEGER NOT NULL,
      reported_time INTEGER NOT NULL,
      open_window INTEGER NOT NULL,
      journal_id INTEGER NOT NULL,
      retained_from INTEGER NOT NULL,
      samples_from INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE unapplied (
      id INTEGER PRIMARY KEY,
      position INTEGER NOT NULL,
      window INTEGER NOT NULL,
      series INTEGER,
      usage_hour INTEGER NOT NULL,
      units INTEGER NOT NULL,
      attos INTEGER NOT NULL,
      reason TEXT NOT NULL
    ) STRICT;
    """

  /// What is hashed stays as it is. Aggregates of windows that the retention has given up may be deleted.
  static let triggers = """
    CREATE TRIGGER closed_insert BEFORE INSERT ON aggregate
    WHEN new.window < (SELECT open_window FROM pipeline)
    BEGIN SELECT raise(ABORT, 'a closed reporting window never changes'); END;

    CREATE TRIGGER closed_update BEFORE UPDATE ON aggregate
    WHEN old.window < (SELECT open_window FROM pipeline)
      OR new.window < (SELECT open_window FROM pipeline)
    BEGIN SELECT raise(ABORT, 'a closed reporting window never changes'); END;

    CREATE TRIGGER closed_delete BEFORE DELETE ON aggregate
    WHEN old.window < (SELECT open_window FROM pipeline)
      AND old.window >= (SELECT retained_from FROM pipeline)
    BEGIN SELECT raise(ABORT, 'a closed reporting window never changes'); END;

    CREATE TRIGGER window_never_reopens BEFORE UPDATE ON pipeline
    WHEN new.open_window < old.open_window
    BEGIN SELECT raise(ABORT, 'a closed reporting window never opens again'); END;

    CREATE TRIGGER retention_never_goes_back BEFORE UPDATE ON pipeline
    WHEN new.retained_from < old.retained_from OR new.samples_from < old.samples_from
    BEGIN SELECT raise(ABORT, 'what was given up never comes back'); END;

    CREATE TRIGGER pipeline_stays BEFORE DELETE ON pipeline
    BEGIN SELECT raise(ABORT, 'the position of the pipeline stays'); END;

    CREATE TRIGGER pipeline_is_one BEFORE INSERT ON pipeline
    BEGIN SELECT raise(ABORT, 'the position of the pipeline stays'); END;

    CREATE TRIGGER hash_insert BEFORE INSERT ON closed_window
    WHEN new.window < (SELECT open_window FROM pipeline)
      OR new.window <= (SELECT max(window) FROM closed_window)
    BEGIN SELECT raise(ABORT, 'the hash of a closed reporting window never changes'); END;

    CREATE TRIGGER hash_update BEFORE UPDATE ON closed_window
    BEGIN SELECT raise(ABORT, 'the hash of a closed reporting window never changes'); END;

    CREATE TRIGGER hash_delete BEFORE DELETE ON closed_window
    BEGIN SELECT raise(ABORT, 'the hash of a closed reporting window never changes'); END;

    CREATE TRIGGER missing_insert BEFORE INSERT ON window_missing
    WHEN new.window < (SELECT open_window FROM pipeline)
      OR EXISTS (SELECT 1 FROM window_missing WHERE window = new.window)
    BEGIN SELECT raise(ABORT, 'what a closed reporting window missed never changes'); END;

    CREATE TRIGGER missing_update BEFORE UPDATE ON window_missing
    BEGIN SELECT raise(ABORT, 'what a closed reporting window missed never changes'); END;

    CREATE TRIGGER missing_delete BEFORE DELETE ON window_missing
    WHEN old.window >= (SELECT retained_from FROM pipeline)
    BEGIN SELECT raise(ABORT, 'what a closed reporting window missed never changes'); END;

    CREATE TRIGGER series_insert BEFORE INSERT ON series
    WHEN EXISTS (SELECT 1 FROM series WHERE id = new.id)
      OR new.first_window < (SELECT open_window FROM pipeline)
    BEGIN SELECT raise(ABORT, 'a series of a closed reporting window never changes'); END;

    CREATE TRIGGER series_update BEFORE UPDATE ON series
    BEGIN SELECT raise(ABORT, 'a series of a closed reporting window never changes'); END;

    CREATE TRIGGER series_delete BEFORE DELETE ON series
    WHEN old.first_window < (SELECT open_window FROM pipeline)
    BEGIN SELECT raise(ABORT, 'a series of a closed reporting window never changes'); END;

    CREATE TRIGGER subscription_insert BEFORE INSERT ON subscription
    WHEN EXISTS (SELECT 1 FROM subscription WHERE id = new.id OR name = new.name)
    BEGIN SELECT raise(ABORT, 'a subscription of a closed reporting window never changes'); END;

    CREATE TRIGGER subscription_update BEFORE UPDATE OF id, name, first_window ON subscription
    BEGIN SELECT raise(ABORT, 'a subscription of a closed reporting window never changes'); END;

    CREATE TRIGGER subscription_delete BEFORE DELETE ON subscription
    WHEN old.first_window < (SELECT open_window FROM pipeline)
    BEGIN SELECT raise(ABORT, 'a subscription of a closed reporting window never changes'); END;
    """

  /// For people with the sqlite3 shell.
  static let views = """
    CREATE VIEW usage AS
    SELECT
      strftime('%Y-%m-%dT%H:00:00Z', a.window * 3600, 'unixepoch') AS window,
      CASE WHEN a.window < p.open_window THEN 'closed' ELSE 'provisional' END AS state,
      strftime('%Y-%m-%dT%H:00:00Z', (a.window - a.lag) * 3600, 'unixepoch') AS usage_hour,
      n.name AS subscription, coalesce(d.display_name, '') AS subscription_name,
      coalesce(m.name, s.meter) AS meter,
      CASE WHEN a.units < 0 OR a.attos < 0 THEN '-' ELSE '' END
        || abs(a.units) || '.' || printf('%018d', abs(a.attos)) AS quantity,
      m.unit, s.resource_uri, s.location, s.tags, s.additional_info, s.meter AS meter_id
    FROM aggregate a
    JOIN series s ON s.id = a.series
    JOIN subscription n ON n.id = a.series >> \(SeriesNumbers.bitsWithinSubscription)
    JOIN pipeline p
    LEFT JOIN meter m ON m.id = s.meter
    LEFT JOIN directory d ON d.name = n.name
    WHERE a.window >= p.retained_from;

    CREATE VIEW usage_daily AS
    WITH part AS (
      SELECT a.window / 24 AS window_day, a.series, (a.window - a.lag) / 24 AS usage_day,
        sum(a.units) AS units, sum(a.attos / 1000000000) AS nanos,
        sum(a.attos % 1000000000) AS rest
      FROM aggregate a JOIN pipeline p WHERE a.window >= p.retained_from
      GROUP BY 1, 2, 3
    ), carried AS (
      SELECT window_day, series, usage_day, units,
        nanos + (rest - (rest % 1000000000 + 1000000000) % 1000000000) / 1000000000 AS nanos,
        (rest % 1000000000 + 1000000000) % 1000000000 AS rest
      FROM part
    ), whole AS (
      SELECT window_day, series, usage_day,
        units + (nanos - (nanos % 1000000000 + 1000000000) % 1000000000) / 1000000000 AS units,
        (nanos % 1000000000 + 1000000000) % 1000000000 * 1000000000 + rest AS attos
      FROM carried
    )
    SELECT
      strftime('%Y-%m-%d', w.window_day * 86400, 'unixepoch') AS window_day,
      CASE WHEN (w.window_day + 1) * 24 <= p.open_window THEN 'closed' ELSE 'provisional' END
        AS state,
      strftime('%Y-%m-%d', w.usage_day * 86400, 'unixepoch') AS usage_day,
      n.name AS subscription, coalesce(d.display_name, '') AS subscription_name,
      coalesce(m.name, s.meter) AS meter,
      CASE WHEN w.units >= 0 OR w.attos = 0
        THEN CASE WHEN w.units < 0 THEN '-' ELSE '' END
          || abs(w.units) || '.' || printf('%018d', w.attos)
        ELSE '-' || -(w.units + 1) || '.' || printf('%018d', 1000000000000000000 - w.attos)
      END AS quantity,
      m.unit, s.resource_uri, s.location, s.tags, s.additional_info, s.meter AS meter_id
    FROM whole w
    JOIN series s ON s.id = w.series
    JOIN subscription n ON n.id = w.series >> \(SeriesNumbers.bitsWithinSubscription)
    JOIN pipeline p
    LEFT JOIN meter m ON m.id = s.meter
    LEFT JOIN directory d ON d.name = n.name;

    CREATE VIEW windows AS
    SELECT strftime('%Y-%m-%dT%H:00:00Z', w.window * 3600, 'unixepoch') AS window,
      w.row_count AS aggregates, w.end_position, lower(hex(w.hash)) AS hash,
      CASE WHEN w.window < p.retained_from THEN 'removed' ELSE 'kept' END AS state,
      CASE WHEN coalesce((SELECT min(complete_until) FROM source), 9223372036854775807)
        >= (w.window + 1) * 3600000000000 THEN 'final' ELSE 'estimated' END AS completeness,
      coalesce(m.names, '[]') AS missing_at_close, coalesce(m.others, 0) AS others_at_close
    FROM closed_window w JOIN pipeline p LEFT JOIN window_missing m ON m.window = w.window;

    CREATE VIEW subscriptions AS
    SELECT n.name AS subscription, coalesce(d.display_name, '') AS display_name,
      coalesce(d.owner, '') AS owner, coalesce(d.cost_center, '') AS cost_center,
      coalesce(d.tags, '') AS tags, coalesce(d.state, 'unassigned') AS state
    FROM (SELECT name FROM subscription UNION SELECT name FROM directory) n
    LEFT JOIN directory d ON d.name = n.name;

    CREATE VIEW sources AS
    SELECT name, cadence_seconds,
      strftime('%Y-%m-%dT%H:%M:%SZ', complete_until / 1000000000, 'unixepoch') AS complete_until,
      strftime('%Y-%m-%dT%H:%M:%SZ', heard_time / 1000000000, 'unixepoch') AS heard, position
    FROM source;
    """
}

extension SQLiteSchema {
  /// Why a database of another version is refused.
  static func newer(_ found: Int64, _ path: String) -> StoreError {
    StoreError(
      .newerSchema,
      "\(path) is newer than this program: it has schema version \(found), but this program knows "
        + "\(version); run the program that made it")
  }

  static func older(_ found: Int64, _ path: String) -> StoreError {
    StoreError(
      .olderSchema,
      found == draftVersion
        ? "\(path) has schema version \(found), which was never released; move the file away, and "
          + "the aggregator counts the journal anew"
        : "\(path) has schema version \(found); the aggregator brings it to \(version) when it starts"
    )
  }
}

extension SQLite {
  /// The version of the tables that are there; 0 where there are none.
  func schemaVersion() throws(StoreError) -> Int64 {
    let statement = try prepare("PRAGMA user_version")
    _ = try statement.step()
    defer { statement.reset() }
    return statement.integer(0)
  }

  func pipelinePosition() throws(StoreError) -> PipelinePosition {
    let statement = try prepare(
      """
      SELECT next_position, reported_time, open_window, journal_id, retained_from, samples_from
      FROM pipeline
      """)
    guard try statement.step() else {
      throw StoreError(.system, "the usage database has lost its position")
    }
    defer { statement.reset() }
    return PipelinePosition(
      nextPosition: UInt64(bitPattern: statement.integer(0)),
      reportedTime: Instant(nanoseconds: statement.integer(1)),
      openWindow: Hour(index: statement.integer(2)),
      journalID: UInt64(bitPattern: statement.integer(3)),
      retainedFrom: Hour(index: statement.integer(4)),
      samplesFrom: Hour(index: statement.integer(5)))
  }

  func pipelineCell() throws(StoreError) -> String {
    let statement = try prepare("SELECT cell FROM pipeline")
    defer { statement.reset() }
    return try statement.step() ? statement.text(0) : ""
  }

  func meterRules() throws(StoreError) -> [MeterRule] {
    let statement = try prepare(
      """
      SELECT meter, number, aggregation, from_position, window, from_hour FROM rule
      ORDER BY meter, number
      """)
    var rules: [MeterRule] = []
    while try statement.step() {
      guard let aggregation = Aggregation(rawValue: statement.text(2)) else {
        let problem = "the rule of meter \(statement.text(0)) is \(statement.text(2))"
        statement.reset()
        throw StoreError(.system, problem + ", which this program does not know")
      }
      rules.append(
        MeterRule(
          meter: statement.text(0), number: statement.integer(1),
          fromPosition: UInt64(bitPattern: statement.integer(3)), aggregation: aggregation,
          restatement: statement.isNull(4)
            ? nil
            : MeterRule.Restatement(
              window: Hour(index: statement.integer(4)),
              fromHour: Hour(index: statement.integer(5)))))
    }
    return rules
  }

  func declaredSources() throws(StoreError) -> [ReportingSource] {
    let statement = try prepare(
      """
      SELECT name, cadence_seconds, complete_until, heard_time, position FROM source ORDER BY name
      """)
    var sources: [ReportingSource] = []
    while try statement.step() {
      sources.append(
        ReportingSource(
          name: statement.text(0), cadenceSeconds: UInt32(clamping: statement.integer(1)),
          completeUntil: Instant(nanoseconds: statement.integer(2)),
          heardTime: Instant(nanoseconds: statement.integer(3)),
          position: UInt64(bitPattern: statement.integer(4))))
    }
    return sources
  }

  /// The quantity in two columns; throws where they are none.
  func quantity(_ statement: Statement, _ column: Int32) throws(StoreError) -> Quantity {
    let (units, attos) = (statement.integer(column), statement.integer(column + 1))
    guard let quantity = Quantity(units: units, attos: attos) else {
      throw StoreError(.system, "the usage database is damaged: \(units) and \(attos) attos")
    }
    return quantity
  }
}
