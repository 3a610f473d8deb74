package import StackmeterCore

extension PostgreSQLSchema {
  /// The tables of budgets, which version 4 has added.
  static let budgets = #"""

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

    """#

  /// What `deploy/postgres/upgrade-4.sql` says, byte by byte: makes version 4 of version 3.
  static let upgradeBudgets = #"""
    -- Brings the usage database of Stackmeter in PostgreSQL from version 3 to version 4. The aggregator does so when it
    -- starts. Where it may not, run it:
    --   psql --single-transaction --set ON_ERROR_STOP=1 --file upgrade-4.sql DATABASE

    """# + "UPDATE schema_version SET version = 4;\n" + budgets
}

extension PostgreSQLUsageStore: BudgetStore {
  package func put(
    budgets: [StoredBudget], of periods: [Day], alerts: [StoredAlert]
  ) throws(StoreError) -> Int {
    try writing { (connection) throws(StoreError) in
      for period in periods {
        let states = budgets.filter { $0.period == period }
        let latest = try connection.query(
          "SELECT coalesce(max(closed_before), 0)::bigint FROM budget WHERE period = $1::bigint",
          [PostgreSQLParameter(period.index)]
        ).integer(0, 0)
        if let first = states.first, latest > first.closedBefore.index { continue }
        try connection.query(
          "DELETE FROM budget WHERE period = $1::bigint", [PostgreSQLParameter(period.index)])
        for state in states {
          try connection.query(
            "INSERT INTO budget VALUES ($1::bigint, $2::text, $3::bigint, $4::text, $5::bytea)",
            [
              PostgreSQLParameter(state.period.index), PostgreSQLParameter(state.name),
              PostgreSQLParameter(state.closedBefore.index),
              PostgreSQLParameter(state.subscription), PostgreSQLParameter(state.document),
            ])
        }
      }
      var raised = 0
      for alert in alerts {
        raised += try connection.query(
          """
          INSERT INTO alert VALUES ($1::text, $2::text, $3::bigint, $4::bytea, $5::bigint,
            $6::bigint, $7::bigint, nullif($8::bigint, \(Int64.min + 1)), $9::text)
          ON CONFLICT DO NOTHING
          """,
          [
            PostgreSQLParameter(alert.id), PostgreSQLParameter(alert.budget),
            PostgreSQLParameter(alert.period.index), PostgreSQLParameter(alert.event),
            PostgreSQLParameter(alert.raised.nanoseconds), PostgreSQLParameter(alert.attempts),
            PostgreSQLParameter(alert.nextTry.nanoseconds),
            PostgreSQLParameter(alert.delivered?.nanoseconds ?? .min + 1),
            PostgreSQLParameter(alert.problem),
          ]
        ).changes
      }
      return raised
    }
  }

  package func takeAlerts(
    due now: Instant, until lease: Instant, limit: Int
  ) throws(StoreError) -> [StoredAlert] {
    try writing { (connection) throws(StoreError) in
      let rows = try connection.query(
        """
        UPDATE alert SET attempts = attempts + 1, next_try = $2::bigint WHERE id IN (
          SELECT id FROM alert WHERE delivered IS NULL AND next_try <= $1::bigint
          ORDER BY next_try, id LIMIT $3::bigint)
        RETURNING \(PostgreSQLUsageReader.alertColumns)
        """,
        [
          PostgreSQLParameter(now.nanoseconds), PostgreSQLParameter(lease.nanoseconds),
          PostgreSQLParameter(Int64(limit)),
        ])
      return (0..<rows.count).map { PostgreSQLUsageReader.alert(rows, $0) }
        .sorted { $0.id < $1.id }
    }
  }

  package func note(
    alert id: String, delivered: Instant?, nextTry: Instant, problem: String
  ) throws(StoreError) {
    try writing { (connection) throws(StoreError) in
      _ = try connection.query(
        """
        UPDATE alert SET delivered = nullif($2::bigint, \(Int64.min + 1)), next_try = $3::bigint,
          problem = $4::text
        WHERE id = $1::text AND delivered IS NULL
        """,
        [
          PostgreSQLParameter(id), PostgreSQLParameter(delivered?.nanoseconds ?? .min + 1),
          PostgreSQLParameter(nextTry.nanoseconds), PostgreSQLParameter(problem),
        ])
    }
  }
}

extension PostgreSQLUsageReader: BudgetReader {
  static let alertColumns =
    "id, budget, period, event, raised, attempts, next_try, delivered, problem"

  static func alert(_ rows: PostgreSQLRows, _ row: Int) -> StoredAlert {
    var alert = StoredAlert(
      id: rows.text(row, 0), budget: rows.text(row, 1), period: Day(index: rows.integer(row, 2)),
      event: rows.bytes(row, 3), raised: Instant(nanoseconds: rows.integer(row, 4)))
    alert.attempts = rows.integer(row, 5)
    alert.nextTry = Instant(nanoseconds: rows.integer(row, 6))
    alert.delivered =
      rows.isNull(row, 7) ? nil : Instant(nanoseconds: rows.integer(row, 7))
    alert.problem = rows.text(row, 8)
    return alert
  }

  package func budgets(
    of period: Day?, ownedBy subscriptions: [String]?, after place: BudgetPlace?, limit: Int
  ) throws(StoreError) -> [StoredBudget] {
    var conditions = ["true"]
    var parameters = [PostgreSQLParameter(Int64(limit))]
    func add(_ parameter: PostgreSQLParameter) -> String {
      parameters.append(parameter)
      return "$\(parameters.count)"
    }
    if let period {
      conditions.append("period = \(add(PostgreSQLParameter(period.index)))::bigint")
    }
    if let subscriptions {
      let names = add(PostgreSQLParameter(texts: subscriptions))
      conditions.append("subscription <> '' AND subscription = ANY (\(names)::text[])")
    }
    if let place {
      let period = add(PostgreSQLParameter(place.period.index))
      let name = add(PostgreSQLParameter(place.name))
      conditions.append(
        "(period < \(period)::bigint OR (period = \(period)::bigint AND name > \(name)::text))")
    }
    let rows = try connection.query(
      """
      SELECT period, name, closed_before, subscription, document FROM budget
      WHERE \(conditions.joined(separator: " AND ")) ORDER BY period DESC, name LIMIT $1::bigint
      """, parameters)
    return (0..<rows.count).map { row in
      StoredBudget(
        name: rows.text(row, 1), period: Day(index: rows.integer(row, 0)),
        closedBefore: Hour(index: rows.integer(row, 2)), subscription: rows.text(row, 3),
        document: rows.bytes(row, 4))
    }
  }

  package func alerts(of place: BudgetPlace?) throws(StoreError) -> [StoredAlert] {
    let rows = try connection.query(
      """
      SELECT \(PostgreSQLUsageReader.alertColumns) FROM alert
      WHERE NOT $1::bigint = 1 OR (period = $2::bigint AND budget = $3::text) ORDER BY id
      """,
      [
        PostgreSQLParameter(Int64(place == nil ? 0 : 1)),
        PostgreSQLParameter(place?.period.index ?? 0), PostgreSQLParameter(place?.name ?? ""),
      ])
    return (0..<rows.count).map { PostgreSQLUsageReader.alert(rows, $0) }
  }
}
