/// The tables of rate cards and statements in SQLite, which version 4 has added.
enum SQLiteBillingSchema {
  static let tables = """
    CREATE TABLE rate_card (
      name TEXT NOT NULL,
      version INTEGER NOT NULL,
      effective INTEGER NOT NULL,
      currency TEXT NOT NULL,
      sha256 BLOB NOT NULL,
      content BLOB NOT NULL,
      PRIMARY KEY (name, version)
    ) STRICT;

    CREATE TABLE statement (
      year INTEGER NOT NULL,
      sequence INTEGER NOT NULL,
      number TEXT NOT NULL UNIQUE,
      subscription TEXT NOT NULL,
      period INTEGER NOT NULL,
      period_end INTEGER NOT NULL,
      from_window INTEGER NOT NULL,
      to_window INTEGER NOT NULL,
      card TEXT NOT NULL,
      currency TEXT NOT NULL,
      total TEXT NOT NULL,
      sha256 BLOB NOT NULL,
      document BLOB NOT NULL,
      PRIMARY KEY (year, sequence),
      UNIQUE (subscription, period)
    ) STRICT;

    CREATE TABLE rated_state (
      subscription TEXT NOT NULL,
      period INTEGER NOT NULL,
      meter TEXT NOT NULL,
      statement_period INTEGER NOT NULL,
      state TEXT NOT NULL,
      PRIMARY KEY (subscription, period, meter, statement_period)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE posting (
      id INTEGER PRIMARY KEY,
      kind TEXT NOT NULL,
      subscription TEXT NOT NULL,
      amount TEXT NOT NULL,
      currency TEXT NOT NULL,
      reason TEXT NOT NULL,
      granted INTEGER NOT NULL,
      expires INTEGER
    ) STRICT;
    CREATE INDEX posting_subscription ON posting (subscription);

    CREATE TABLE posting_use (
      posting INTEGER NOT NULL,
      year INTEGER NOT NULL,
      sequence INTEGER NOT NULL,
      amount TEXT NOT NULL,
      PRIMARY KEY (posting, year, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX posting_use_statement ON posting_use (year, sequence);
    """

  /// What is written stays, numbers and days only grow, and what goes with a statement comes before it.
  static let triggers = """
    CREATE TRIGGER rate_card_insert BEFORE INSERT ON rate_card
    WHEN EXISTS (SELECT 1 FROM rate_card
        WHERE name = new.name AND (version >= new.version OR effective >= new.effective))
      OR EXISTS (SELECT 1 FROM statement WHERE card = new.name AND period_end > new.effective)
    BEGIN SELECT raise(ABORT, 'a past version of a rate card never changes'); END;

    CREATE TRIGGER statement_insert BEFORE INSERT ON statement
    WHEN new.sequence <> 1 + coalesce(
        (SELECT max(sequence) FROM statement WHERE year = new.year), 0)
      OR new.from_window <> coalesce(
        (SELECT max(to_window) FROM statement WHERE subscription = new.subscription), 0)
      OR new.to_window > (SELECT open_window FROM pipeline)
      OR EXISTS (SELECT 1 FROM statement
        WHERE subscription = new.subscription AND period >= new.period)
    BEGIN SELECT raise(ABORT, 'a statement follows the one before, and covers closed windows'); END;

    CREATE TRIGGER rated_state_insert BEFORE INSERT ON rated_state
    WHEN EXISTS (SELECT 1 FROM statement
      WHERE subscription = new.subscription AND period >= new.statement_period)
    BEGIN SELECT raise(ABORT, 'a closed statement never changes'); END;

    CREATE TRIGGER posting_insert BEFORE INSERT ON posting
    WHEN EXISTS (SELECT 1 FROM posting WHERE id = new.id)
    BEGIN SELECT raise(ABORT, 'what was written down never changes'); END;

    CREATE TRIGGER posting_use_insert BEFORE INSERT ON posting_use
    WHEN EXISTS (SELECT 1 FROM statement WHERE year = new.year AND sequence >= new.sequence)
    BEGIN SELECT raise(ABORT, 'a closed statement never changes'); END;

    """
    + [
      ("rate_card", "a past version of a rate card never changes"),
      ("statement", "a closed statement never changes"),
      ("rated_state", "a closed statement never changes"),
      ("posting", "what was written down never changes"),
      ("posting_use", "a closed statement never changes"),
    ].map { table, message in
      ["update", "delete"].map { change in
        """
        CREATE TRIGGER \(table)_\(change) BEFORE \(change.uppercased()) ON \(table)
        BEGIN SELECT raise(ABORT, '\(message)'); END;

        """
      }.joined()
    }.joined()

  /// For people with the sqlite3 shell.
  static let views = """
    CREATE VIEW rate_cards AS
    SELECT name, version, date(effective * 86400, 'unixepoch') AS effective, currency,
      length(content) AS bytes, lower(hex(sha256)) AS sha256
    FROM rate_card;

    CREATE VIEW statements AS
    SELECT number, subscription, strftime('%Y-%m', period * 86400, 'unixepoch') AS period, total,
      currency, card, strftime('%Y-%m-%dT%H:00:00Z', to_window * 3600, 'unixepoch') AS reported_until,
      lower(hex(sha256)) AS sha256, CAST(document AS TEXT) AS document
    FROM statement;
    """
}
