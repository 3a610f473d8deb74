-- The usage database of Stackmeter in PostgreSQL, version 4. Sources/StackmeterStore/README.md says what it means.
-- The aggregator runs this text in one transaction where it finds no tables. Where it may not make any, run it:
--   psql --single-transaction --set ON_ERROR_STOP=1 --file schema.sql DATABASE

CREATE TABLE schema_version (
  id integer PRIMARY KEY CHECK (id = 1),
  version integer NOT NULL
);

-- A cell is a part of the installation with a journal of its own. A retired one holds no window open.
CREATE TABLE cell (
  number integer PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  is_retired boolean NOT NULL DEFAULT false
);

CREATE TABLE meter (
  cell integer NOT NULL,
  id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  unit text NOT NULL,
  category text COLLATE "C" NOT NULL,
  resource_provider text NOT NULL,
  aggregation text NOT NULL,
  billable boolean NOT NULL,
  PRIMARY KEY (cell, id)
);

CREATE TABLE rule (
  cell integer NOT NULL,
  meter text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  from_position bigint NOT NULL,
  aggregation text NOT NULL,
  reporting_window integer,
  from_hour integer,
  PRIMARY KEY (cell, meter, number)
);

CREATE TABLE subscription (
  cell integer NOT NULL,
  id bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  first_window integer NOT NULL,
  PRIMARY KEY (cell, id),
  UNIQUE (name, cell)
);

CREATE TABLE series (
  cell integer NOT NULL,
  subscription bigint NOT NULL,
  id integer NOT NULL,
  digest bigint NOT NULL,
  first_window integer NOT NULL,
  first_position bigint NOT NULL,
  meter text COLLATE "C" NOT NULL,
  resource_uri text COLLATE "C" NOT NULL,
  location text COLLATE "C" NOT NULL,
  tags text COLLATE "C" NOT NULL,
  additional_info text COLLATE "C" NOT NULL,
  PRIMARY KEY (cell, subscription, id)
);
CREATE INDEX series_digest ON series (cell, digest);

CREATE TABLE aggregate (
  reporting_window integer NOT NULL,
  cell integer NOT NULL,
  subscription bigint NOT NULL,
  series integer NOT NULL,
  usage_hour integer NOT NULL,
  quantity numeric(38, 18) NOT NULL,
  PRIMARY KEY (reporting_window, cell, subscription, series, usage_hour)
);

CREATE TABLE closed_window (
  cell integer NOT NULL,
  reporting_window integer NOT NULL,
  end_position bigint NOT NULL,
  row_count bigint NOT NULL,
  oldest_usage integer NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (cell, reporting_window)
);

CREATE TABLE value_sample (
  cell integer NOT NULL,
  usage_hour integer NOT NULL,
  subscription bigint NOT NULL,
  series integer NOT NULL,
  quantity numeric(38, 18) NOT NULL,
  event bytea NOT NULL,
  PRIMARY KEY (cell, usage_hour, subscription, series, quantity, event)
);

CREATE TABLE time_sample (
  cell integer NOT NULL,
  usage_hour integer NOT NULL,
  subscription bigint NOT NULL,
  series integer NOT NULL,
  usage_end bigint NOT NULL,
  usage_start bigint NOT NULL,
  position bigint NOT NULL,
  event bytea NOT NULL,
  quantity numeric(38, 18) NOT NULL,
  PRIMARY KEY (cell, usage_hour, subscription, series, usage_end, usage_start, position)
);

CREATE TABLE pipeline (
  cell integer PRIMARY KEY,
  next_position bigint NOT NULL,
  reported_time bigint NOT NULL,
  open_window integer NOT NULL,
  journal_id bigint NOT NULL,
  retained_from integer NOT NULL,
  samples_from integer NOT NULL
);

CREATE TABLE unapplied (
  cell integer NOT NULL,
  id bigint NOT NULL,
  position bigint NOT NULL,
  reporting_window integer NOT NULL,
  subscription bigint,
  series integer,
  usage_hour integer NOT NULL,
  quantity numeric(38, 18) NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (cell, id)
);

CREATE TABLE source (
  cell integer NOT NULL,
  name text COLLATE "C" NOT NULL,
  cadence_seconds bigint NOT NULL,
  complete_until bigint NOT NULL,
  heard_time bigint NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (cell, name)
);

-- The names of the sources that were behind when a window was closed, as a JSON array, and how many more.
CREATE TABLE window_missing (
  cell integer NOT NULL,
  reporting_window integer NOT NULL,
  names text NOT NULL,
  others bigint NOT NULL,
  PRIMARY KEY (cell, reporting_window)
);

CREATE TABLE directory (
  cell integer NOT NULL,
  name text COLLATE "C" NOT NULL,
  display_name text NOT NULL,
  owner text NOT NULL,
  cost_center text NOT NULL,
  tags text NOT NULL,
  state text NOT NULL,
  PRIMARY KEY (cell, name)
);

CREATE TABLE tenancy (
  cell integer NOT NULL,
  provider text COLLATE "C" NOT NULL,
  subscription text COLLATE "C" NOT NULL,
  from_hour integer NOT NULL,
  until_hour integer NOT NULL,
  PRIMARY KEY (cell, provider, subscription, from_hour)
);

-- What is hashed stays as it is. Aggregates of windows that the retention has given up may be deleted.

-- Looks at a statement's rows at once: a trigger for each row makes writing aggregates two times slower.
CREATE FUNCTION aggregates_are_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM (SELECT DISTINCT cell, reporting_window FROM changed) c
    WHERE NOT EXISTS (
      SELECT 1 FROM pipeline p WHERE p.cell = c.cell AND p.open_window <= c.reporting_window))
  THEN RAISE EXCEPTION 'a closed reporting window never changes';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION aggregate_may_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM pipeline p WHERE p.cell = OLD.cell AND p.open_window > OLD.reporting_window
      AND p.retained_from <= OLD.reporting_window)
  THEN RAISE EXCEPTION 'a closed reporting window never changes';
  END IF;
  RETURN OLD;
END $$;

CREATE FUNCTION aggregate_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a closed reporting window never changes';
END $$;

CREATE FUNCTION pipeline_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.cell <> OLD.cell THEN RAISE EXCEPTION 'the position of the pipeline stays';
  END IF;
  IF NEW.open_window < OLD.open_window
  THEN RAISE EXCEPTION 'a closed reporting window never opens again';
  END IF;
  IF NEW.retained_from < OLD.retained_from OR NEW.samples_from < OLD.samples_from
  THEN RAISE EXCEPTION 'what was given up never comes back';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION pipeline_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the position of the pipeline stays';
END $$;

CREATE FUNCTION hash_is_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM pipeline p
      WHERE p.cell = NEW.cell AND p.open_window <= NEW.reporting_window)
    OR EXISTS (
      SELECT 1 FROM closed_window c
      WHERE c.cell = NEW.cell AND c.reporting_window >= NEW.reporting_window)
  THEN RAISE EXCEPTION 'the hash of a closed reporting window never changes';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION hash_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the hash of a closed reporting window never changes';
END $$;

CREATE FUNCTION series_are_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM (SELECT DISTINCT cell, first_window FROM changed) c
    WHERE NOT EXISTS (
      SELECT 1 FROM pipeline p WHERE p.cell = c.cell AND p.open_window <= c.first_window))
  THEN RAISE EXCEPTION 'a series of a closed reporting window never changes';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION series_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a series of a closed reporting window never changes';
END $$;

CREATE FUNCTION series_may_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM pipeline p WHERE p.cell = OLD.cell AND p.open_window > OLD.first_window)
  THEN RAISE EXCEPTION 'a series of a closed reporting window never changes';
  END IF;
  RETURN OLD;
END $$;

CREATE FUNCTION subscription_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.cell <> OLD.cell OR NEW.id <> OLD.id OR NEW.name <> OLD.name
    OR NEW.first_window <> OLD.first_window
  THEN RAISE EXCEPTION 'a subscription of a closed reporting window never changes';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION cell_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.number <> OLD.number OR NEW.name <> OLD.name
  THEN RAISE EXCEPTION 'a cell keeps its number and its name';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION missing_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM pipeline p WHERE p.cell = NEW.cell AND p.open_window <= NEW.reporting_window)
  THEN RAISE EXCEPTION 'what a closed reporting window missed never changes';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION missing_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what a closed reporting window missed never changes';
END $$;

CREATE FUNCTION missing_may_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM pipeline p WHERE p.cell = OLD.cell AND p.retained_from <= OLD.reporting_window)
  THEN RAISE EXCEPTION 'what a closed reporting window missed never changes';
  END IF;
  RETURN OLD;
END $$;

CREATE TRIGGER closed_insert AFTER INSERT ON aggregate REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION aggregates_are_open();
CREATE TRIGGER closed_update AFTER UPDATE ON aggregate REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION aggregates_are_open();
CREATE TRIGGER closed_update_to AFTER UPDATE ON aggregate REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION aggregates_are_open();
CREATE TRIGGER closed_delete BEFORE DELETE ON aggregate
  FOR EACH ROW EXECUTE FUNCTION aggregate_may_go();
CREATE TRIGGER window_never_reopens BEFORE UPDATE ON pipeline
  FOR EACH ROW EXECUTE FUNCTION pipeline_goes_on();
CREATE TRIGGER pipeline_stays BEFORE DELETE ON pipeline
  FOR EACH ROW EXECUTE FUNCTION pipeline_stays();
CREATE TRIGGER hash_insert BEFORE INSERT ON closed_window
  FOR EACH ROW EXECUTE FUNCTION hash_is_next();
CREATE TRIGGER hash_update BEFORE UPDATE ON closed_window
  FOR EACH ROW EXECUTE FUNCTION hash_stays();
CREATE TRIGGER hash_delete BEFORE DELETE ON closed_window
  FOR EACH ROW EXECUTE FUNCTION hash_stays();
CREATE TRIGGER series_insert AFTER INSERT ON series REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION series_are_new();
CREATE TRIGGER series_update BEFORE UPDATE ON series
  FOR EACH ROW EXECUTE FUNCTION series_stays();
CREATE TRIGGER series_delete BEFORE DELETE ON series
  FOR EACH ROW EXECUTE FUNCTION series_may_go();
CREATE TRIGGER subscription_update BEFORE UPDATE ON subscription
  FOR EACH ROW EXECUTE FUNCTION subscription_stays();
CREATE TRIGGER subscription_delete BEFORE DELETE ON subscription
  FOR EACH ROW EXECUTE FUNCTION series_may_go();
CREATE TRIGGER missing_insert BEFORE INSERT ON window_missing
  FOR EACH ROW EXECUTE FUNCTION missing_is_open();
CREATE TRIGGER missing_update BEFORE UPDATE ON window_missing
  FOR EACH ROW EXECUTE FUNCTION missing_stays();
CREATE TRIGGER missing_delete BEFORE DELETE ON window_missing
  FOR EACH ROW EXECUTE FUNCTION missing_may_go();
CREATE TRIGGER cell_update BEFORE UPDATE ON cell
  FOR EACH ROW EXECUTE FUNCTION cell_stays();

-- A TRUNCATE passes by what stands above.
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON aggregate
  FOR EACH STATEMENT EXECUTE FUNCTION aggregate_stays();
CREATE TRIGGER pipeline_truncate BEFORE TRUNCATE ON pipeline
  FOR EACH STATEMENT EXECUTE FUNCTION pipeline_stays();
CREATE TRIGGER hash_truncate BEFORE TRUNCATE ON closed_window
  FOR EACH STATEMENT EXECUTE FUNCTION hash_stays();
CREATE TRIGGER missing_truncate BEFORE TRUNCATE ON window_missing
  FOR EACH STATEMENT EXECUTE FUNCTION missing_stays();
CREATE TRIGGER series_truncate BEFORE TRUNCATE ON series
  FOR EACH STATEMENT EXECUTE FUNCTION series_stays();
CREATE TRIGGER subscription_truncate BEFORE TRUNCATE ON subscription
  FOR EACH STATEMENT EXECUTE FUNCTION series_stays();

-- For people with psql.

CREATE VIEW usage AS
SELECT
  c.name AS cell,
  to_char(to_timestamp(a.reporting_window * 3600.0) AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:00:00"Z"') AS reporting_window,
  CASE WHEN a.reporting_window < p.open_window THEN 'closed' ELSE 'provisional' END AS state,
  to_char(to_timestamp(a.usage_hour * 3600.0) AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:00:00"Z"') AS usage_hour,
  n.name AS subscription, coalesce(m.name, s.meter) AS meter, a.quantity, m.unit,
  s.resource_uri, s.location, s.tags, s.additional_info, s.meter AS meter_id
FROM aggregate a
JOIN pipeline p ON p.cell = a.cell
JOIN cell c ON c.number = a.cell
JOIN series s ON s.cell = a.cell AND s.subscription = a.subscription AND s.id = a.series
JOIN subscription n ON n.cell = a.cell AND n.id = a.subscription
LEFT JOIN meter m ON m.cell = a.cell AND m.id = s.meter
WHERE a.reporting_window >= p.retained_from;

CREATE VIEW usage_daily AS
WITH d AS (
  SELECT a.cell, div(a.reporting_window::numeric, 24)::integer AS window_day, a.subscription,
    a.series, floor(a.usage_hour / 24.0)::integer AS usage_day, sum(a.quantity) AS quantity
  FROM aggregate a JOIN pipeline p ON p.cell = a.cell AND a.reporting_window >= p.retained_from
  GROUP BY 1, 2, 3, 4, 5
)
SELECT
  c.name AS cell,
  to_char(to_timestamp(d.window_day * 86400.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS window_day,
  CASE WHEN (d.window_day + 1) * 24 <= p.open_window THEN 'closed' ELSE 'provisional' END
    AS state,
  to_char(to_timestamp(d.usage_day * 86400.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS usage_day,
  n.name AS subscription, coalesce(m.name, s.meter) AS meter, d.quantity, m.unit,
  s.resource_uri, s.location, s.tags, s.additional_info, s.meter AS meter_id
FROM d
JOIN pipeline p ON p.cell = d.cell
JOIN cell c ON c.number = d.cell
JOIN series s ON s.cell = d.cell AND s.subscription = d.subscription AND s.id = d.series
JOIN subscription n ON n.cell = d.cell AND n.id = d.subscription
LEFT JOIN meter m ON m.cell = d.cell AND m.id = s.meter;

CREATE VIEW windows AS
SELECT c.name AS cell,
  to_char(to_timestamp(w.reporting_window * 3600.0) AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:00:00"Z"') AS reporting_window,
  w.row_count AS aggregates, w.end_position, encode(w.hash, 'hex') AS hash,
  CASE WHEN w.reporting_window < p.retained_from THEN 'removed' ELSE 'kept' END AS state
FROM closed_window w
JOIN pipeline p ON p.cell = w.cell
JOIN cell c ON c.number = w.cell;

INSERT INTO schema_version VALUES (1, 4);

CREATE VIEW sources AS
SELECT c.name AS cell, s.name, s.cadence_seconds,
  to_char(to_timestamp(s.complete_until / 1000000000) AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS complete_until,
  to_char(to_timestamp(s.heard_time / 1000000000) AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS heard, s.position
FROM source s JOIN cell c ON c.number = s.cell;

CREATE VIEW subscriptions AS
SELECT c.name AS cell, n.name AS subscription, coalesce(d.display_name, '') AS display_name,
  coalesce(d.owner, '') AS owner, coalesce(d.cost_center, '') AS cost_center,
  coalesce(d.tags, '') AS tags, coalesce(d.state, 'unassigned') AS state
FROM (SELECT cell, name FROM subscription UNION SELECT cell, name FROM directory) n
JOIN cell c ON c.number = n.cell
LEFT JOIN directory d ON d.cell = n.cell AND d.name = n.name;

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

-- Budgets and alerts are those of the whole installation, too. Each cell looks at the windows that all have closed.

CREATE TABLE budget (
  period integer NOT NULL,
  name text COLLATE "C" NOT NULL,
  closed_before integer NOT NULL,
  subscription text COLLATE "C" NOT NULL,
  document bytea NOT NULL,
  PRIMARY KEY (period, name)
);

CREATE TABLE alert (
  id text COLLATE "C" PRIMARY KEY,
  budget text COLLATE "C" NOT NULL,
  period integer NOT NULL,
  event bytea NOT NULL,
  raised bigint NOT NULL,
  attempts bigint NOT NULL,
  next_try bigint NOT NULL,
  delivered bigint,
  problem text NOT NULL
);
CREATE INDEX alert_budget ON alert (period, budget);
CREATE INDEX alert_due ON alert (next_try) WHERE delivered IS NULL;

CREATE FUNCTION alert_is_told_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.delivered IS NULL AND NEW.id = OLD.id
    AND NEW.budget = OLD.budget AND NEW.period = OLD.period AND NEW.event = OLD.event
    AND NEW.raised = OLD.raised
  THEN RETURN NEW;
  END IF;
  RAISE EXCEPTION 'an alert is raised once, and told once';
END $$;

CREATE TRIGGER alert_change BEFORE UPDATE OR DELETE ON alert
  FOR EACH ROW EXECUTE FUNCTION alert_is_told_once();
CREATE TRIGGER alert_truncate BEFORE TRUNCATE ON alert
  FOR EACH STATEMENT EXECUTE FUNCTION alert_is_told_once();

CREATE VIEW budgets AS
SELECT name, to_char(date '1970-01-01' + period, 'YYYY-MM') AS period,
  to_char(to_timestamp(closed_before * 3600.0) AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:00:00"Z"') AS closed_before,
  subscription, convert_from(document, 'UTF8') AS document
FROM budget;

CREATE VIEW alerts AS
SELECT id, to_timestamp(raised / 1000000000) AT TIME ZONE 'UTC' AS raised, attempts,
  to_timestamp(delivered / 1000000000) AT TIME ZONE 'UTC' AS delivered, problem,
  convert_from(event, 'UTF8') AS event
FROM alert;
