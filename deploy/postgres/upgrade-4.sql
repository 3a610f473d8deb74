-- Brings the usage database of Stackmeter in PostgreSQL from version 3 to version 4. The aggregator does so when it
-- starts. Where it may not, run it:
--   psql --single-transaction --set ON_ERROR_STOP=1 --file upgrade-4.sql DATABASE
UPDATE schema_version SET version = 4;

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
