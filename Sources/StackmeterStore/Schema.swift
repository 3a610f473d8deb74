internal import StackmeterCore

/// The tables of the usage database, version 1. README.md says what they mean.
enum Schema {
  static let version: Int64 = 1
  /// `SMUD` in the file's header, so that `file` and the sqlite3 shell can tell what it is.
  static let applicationID: Int64 = 0x534D_5544

  static let statements = """
    CREATE TABLE meter (
      id TEXT NOT NULL PRIMARY KEY,
      name TEXT NOT NULL,
      unit TEXT NOT NULL,
      category TEXT NOT NULL,
      resource_provider TEXT NOT NULL,
      aggregation TEXT NOT NULL,
      billable INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE series (
      id INTEGER PRIMARY KEY,
      subscription TEXT NOT NULL,
      meter TEXT NOT NULL,
      resource_uri TEXT NOT NULL,
      location TEXT NOT NULL,
      tags TEXT NOT NULL,
      additional_info TEXT NOT NULL,
      UNIQUE (subscription, meter, resource_uri, location, tags, additional_info)
    ) STRICT;

    CREATE TABLE aggregate (
      window INTEGER NOT NULL,
      series INTEGER NOT NULL,
      usage_hour INTEGER NOT NULL,
      units INTEGER NOT NULL,
      attos INTEGER NOT NULL,
      PRIMARY KEY (window, series, usage_hour)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE pipeline (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      next_position INTEGER NOT NULL,
      reported_time INTEGER NOT NULL,
      open_window INTEGER NOT NULL,
      journal_id INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    INSERT INTO pipeline VALUES (1, 1, 0, 0, 0);

    CREATE TABLE unapplied (
      id INTEGER PRIMARY KEY,
      position INTEGER NOT NULL,
      window INTEGER NOT NULL,
      series INTEGER NOT NULL,
      usage_hour INTEGER NOT NULL,
      units INTEGER NOT NULL,
      attos INTEGER NOT NULL
    ) STRICT;

    CREATE TRIGGER closed_insert BEFORE INSERT ON aggregate
    WHEN new.window < (SELECT open_window FROM pipeline)
    BEGIN SELECT raise(ABORT, 'a closed reporting window never changes'); END;

    CREATE TRIGGER closed_update BEFORE UPDATE ON aggregate
    WHEN old.window < (SELECT open_window FROM pipeline)
      OR new.window < (SELECT open_window FROM pipeline)
    BEGIN SELECT raise(ABORT, 'a closed reporting window never changes'); END;

    CREATE TRIGGER closed_delete BEFORE DELETE ON aggregate
    WHEN old.window < (SELECT open_window FROM pipeline)
    BEGIN SELECT raise(ABORT, 'a closed reporting window never changes'); END;

    CREATE TRIGGER window_never_reopens BEFORE UPDATE ON pipeline
    WHEN new.open_window < old.open_window
    BEGIN SELECT raise(ABORT, 'a closed reporting window never opens again'); END;

    CREATE VIEW usage AS
    SELECT
      strftime('%Y-%m-%dT%H:00:00Z', a.window * 3600, 'unixepoch') AS window,
      CASE WHEN a.window < p.open_window THEN 'closed' ELSE 'provisional' END AS state,
      strftime('%Y-%m-%dT%H:00:00Z', a.usage_hour * 3600, 'unixepoch') AS usage_hour,
      s.subscription, m.name AS meter,
      CASE WHEN a.units < 0 OR a.attos < 0 THEN '-' ELSE '' END
        || abs(a.units) || '.' || printf('%018d', abs(a.attos)) AS quantity,
      m.unit, s.resource_uri, s.location, s.tags, s.additional_info, s.meter AS meter_id
    FROM aggregate a
    JOIN series s ON s.id = a.series
    JOIN pipeline p
    LEFT JOIN meter m ON m.id = s.meter;
    """
}

extension Schema {
  /// Why a database of another version is refused.
  static func newer(_ found: Int64, _ path: String) -> StoreError {
    StoreError(
      .newerSchema,
      "\(path) has schema version \(found), but this program knows \(version); "
        + "run the program that made it")
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
      "SELECT next_position, reported_time, open_window, journal_id FROM pipeline")
    _ = try statement.step()
    defer { statement.reset() }
    return PipelinePosition(
      nextPosition: UInt64(statement.integer(0)),
      reportedTime: Instant(nanoseconds: statement.integer(1)),
      openWindow: Hour(index: statement.integer(2)),
      journalID: UInt64(bitPattern: statement.integer(3)))
  }
}
