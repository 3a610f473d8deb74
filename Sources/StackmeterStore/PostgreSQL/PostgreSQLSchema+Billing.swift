extension PostgreSQLSchema {
  /// The tables of rate cards and statements, which version 3 has added.
  static let billing = #"""

    -- Rate cards and statements are those of the whole installation, whichever cell has written them.

    CREATE TABLE rate_card (
      name text COLLATE "C" NOT NULL,
      version integer NOT NULL,
      effective integer NOT NULL,
      currency text NOT NULL,
      sha256 bytea NOT NULL,
      content bytea NOT NULL,
      PRIMARY KEY (name, version)
    );

    CREATE TABLE statement (
      year integer NOT NULL,
      sequence bigint NOT NULL,
      number text COLLATE "C" NOT NULL UNIQUE,
      subscription text COLLATE "C" NOT NULL,
      period integer NOT NULL,
      period_end integer NOT NULL,
      from_window integer NOT NULL,
      to_window integer NOT NULL,
      card text COLLATE "C" NOT NULL,
      currency text NOT NULL,
      total text NOT NULL,
      sha256 bytea NOT NULL,
      document bytea NOT NULL,
      PRIMARY KEY (year, sequence),
      UNIQUE (subscription, period)
    );

    CREATE TABLE rated_state (
      subscription text COLLATE "C" NOT NULL,
      period integer NOT NULL,
      meter text COLLATE "C" NOT NULL,
      statement_period integer NOT NULL,
      state text NOT NULL,
      PRIMARY KEY (subscription, period, meter, statement_period)
    );

    CREATE TABLE posting (
      id bigint PRIMARY KEY,
      kind text NOT NULL,
      subscription text COLLATE "C" NOT NULL,
      amount text NOT NULL,
      currency text NOT NULL,
      reason text NOT NULL,
      granted integer NOT NULL,
      expires integer
    );
    CREATE INDEX posting_subscription ON posting (subscription);

    CREATE TABLE posting_use (
      posting bigint NOT NULL,
      year integer NOT NULL,
      sequence bigint NOT NULL,
      amount text NOT NULL,
      PRIMARY KEY (posting, year, sequence)
    );
    CREATE INDEX posting_use_statement ON posting_use (year, sequence);

    -- What is written stays, numbers and days only grow, and what goes with a statement comes before it.

    CREATE FUNCTION rate_card_is_next() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (
          SELECT 1 FROM rate_card c WHERE c.name = NEW.name
            AND (c.version >= NEW.version OR c.effective >= NEW.effective))
        OR EXISTS (
          SELECT 1 FROM statement s WHERE s.card = NEW.name AND s.period_end > NEW.effective)
      THEN RAISE EXCEPTION 'a past version of a rate card never changes';
      END IF;
      RETURN NEW;
    END $$;

    CREATE FUNCTION rate_card_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'a past version of a rate card never changes';
    END $$;

    CREATE FUNCTION statement_is_next() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.sequence <> 1 + coalesce(
          (SELECT max(s.sequence) FROM statement s WHERE s.year = NEW.year), 0)
        OR NEW.from_window <> coalesce(
          (SELECT max(s.to_window) FROM statement s WHERE s.subscription = NEW.subscription), 0)
        OR EXISTS (
          SELECT 1 FROM pipeline p JOIN cell c ON c.number = p.cell
          WHERE NOT c.is_retired AND p.journal_id <> 0 AND p.open_window < NEW.to_window)
        OR EXISTS (
          SELECT 1 FROM statement s
          WHERE s.subscription = NEW.subscription AND s.period >= NEW.period)
      THEN RAISE EXCEPTION 'a statement follows the one before, and covers closed windows';
      END IF;
      RETURN NEW;
    END $$;

    CREATE FUNCTION statement_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'a closed statement never changes';
    END $$;

    CREATE FUNCTION rated_state_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (
        SELECT 1 FROM statement s
        WHERE s.subscription = NEW.subscription AND s.period >= NEW.statement_period)
      THEN RAISE EXCEPTION 'a closed statement never changes';
      END IF;
      RETURN NEW;
    END $$;

    CREATE FUNCTION posting_use_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (
        SELECT 1 FROM statement s WHERE s.year = NEW.year AND s.sequence >= NEW.sequence)
      THEN RAISE EXCEPTION 'a closed statement never changes';
      END IF;
      RETURN NEW;
    END $$;

    CREATE FUNCTION posting_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'what was written down never changes';
    END $$;

    CREATE TRIGGER rate_card_insert BEFORE INSERT ON rate_card
      FOR EACH ROW EXECUTE FUNCTION rate_card_is_next();
    CREATE TRIGGER statement_insert BEFORE INSERT ON statement
      FOR EACH ROW EXECUTE FUNCTION statement_is_next();
    CREATE TRIGGER rated_state_insert BEFORE INSERT ON rated_state
      FOR EACH ROW EXECUTE FUNCTION rated_state_is_open();
    CREATE TRIGGER posting_use_insert BEFORE INSERT ON posting_use
      FOR EACH ROW EXECUTE FUNCTION posting_use_is_open();
    CREATE TRIGGER rate_card_change BEFORE UPDATE OR DELETE ON rate_card
      FOR EACH ROW EXECUTE FUNCTION rate_card_stays();
    CREATE TRIGGER rate_card_truncate BEFORE TRUNCATE ON rate_card
      FOR EACH STATEMENT EXECUTE FUNCTION rate_card_stays();
    CREATE TRIGGER statement_change BEFORE UPDATE OR DELETE ON statement
      FOR EACH ROW EXECUTE FUNCTION statement_stays();
    CREATE TRIGGER statement_truncate BEFORE TRUNCATE ON statement
      FOR EACH STATEMENT EXECUTE FUNCTION statement_stays();
    CREATE TRIGGER rated_state_change BEFORE UPDATE OR DELETE ON rated_state
      FOR EACH ROW EXECUTE FUNCTION statement_stays();
    CREATE TRIGGER rated_state_truncate BEFORE TRUNCATE ON rated_state
      FOR EACH STATEMENT EXECUTE FUNCTION statement_stays();
    CREATE TRIGGER posting_change BEFORE UPDATE OR DELETE ON posting
      FOR EACH ROW EXECUTE FUNCTION posting_stays();
    CREATE TRIGGER posting_truncate BEFORE TRUNCATE ON posting
      FOR EACH STATEMENT EXECUTE FUNCTION posting_stays();
    CREATE TRIGGER posting_use_change BEFORE UPDATE OR DELETE ON posting_use
      FOR EACH ROW EXECUTE FUNCTION statement_stays();
    CREATE TRIGGER posting_use_truncate BEFORE TRUNCATE ON posting_use
      FOR EACH STATEMENT EXECUTE FUNCTION statement_stays();

    CREATE VIEW rate_cards AS
    SELECT name, version, to_char(date '1970-01-01' + effective, 'YYYY-MM-DD') AS effective, currency,
      length(content) AS bytes, encode(sha256, 'hex') AS sha256
    FROM rate_card;

    CREATE VIEW statements AS
    SELECT number, subscription, to_char(date '1970-01-01' + period, 'YYYY-MM') AS period, total,
      currency, card,
      to_char(to_timestamp(to_window * 3600.0) AT TIME ZONE 'UTC',
        'YYYY-MM-DD"T"HH24:00:00"Z"') AS reported_until,
      encode(sha256, 'hex') AS sha256, convert_from(document, 'UTF8') AS document
    FROM statement;

    """#

  /// What `deploy/postgres/upgrade-3.sql` says, byte by byte: makes version 3 of version 2.
  static let upgrade = #"""
    -- Brings the usage database of Stackmeter in PostgreSQL from version 2 to version 3. The aggregator does so when it
    -- starts. Where it may not, run it:
    --   psql --single-transaction --set ON_ERROR_STOP=1 --file upgrade-3.sql DATABASE

    """# + "UPDATE schema_version SET version = 3;\n" + billing
}
