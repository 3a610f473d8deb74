package import StackmeterCore

/// The tables of budgets in SQLite, which version 5 has added.
enum SQLiteBudgetSchema {
  static let text = """
    CREATE TABLE budget (
      period INTEGER NOT NULL,
      name TEXT NOT NULL,
      closed_before INTEGER NOT NULL,
      subscription TEXT NOT NULL,
      document BLOB NOT NULL,
      PRIMARY KEY (period, name)
    ) STRICT;

    CREATE TABLE alert (
      id TEXT NOT NULL PRIMARY KEY,
      budget TEXT NOT NULL,
      period INTEGER NOT NULL,
      event BLOB NOT NULL,
      raised INTEGER NOT NULL,
      attempts INTEGER NOT NULL,
      next_try INTEGER NOT NULL,
      delivered INTEGER,
      problem TEXT NOT NULL
    ) STRICT;
    CREATE INDEX alert_budget ON alert (period, budget);
    CREATE INDEX alert_due ON alert (next_try) WHERE delivered IS NULL;

    CREATE TRIGGER alert_update BEFORE UPDATE ON alert
    WHEN old.delivered IS NOT NULL OR new.id <> old.id OR new.budget <> old.budget
      OR new.period <> old.period OR new.event <> old.event OR new.raised <> old.raised
    BEGIN SELECT raise(ABORT, 'an alert is raised once, and told once'); END;

    CREATE TRIGGER alert_delete BEFORE DELETE ON alert
    BEGIN SELECT raise(ABORT, 'an alert is raised once, and told once'); END;

    CREATE VIEW budgets AS
    SELECT name, strftime('%Y-%m', period * 86400, 'unixepoch') AS period,
      strftime('%Y-%m-%dT%H:00:00Z', closed_before * 3600, 'unixepoch') AS closed_before,
      subscription, CAST(document AS TEXT) AS document
    FROM budget;

    CREATE VIEW alerts AS
    SELECT id, strftime('%Y-%m-%dT%H:%M:%SZ', raised / 1000000000, 'unixepoch') AS raised, attempts,
      strftime('%Y-%m-%dT%H:%M:%SZ', delivered / 1000000000, 'unixepoch') AS delivered, problem,
      CAST(event AS TEXT) AS event
    FROM alert;

    """
}

extension SQLiteUsageStore: BudgetStore {
  package func put(
    budgets: [StoredBudget], of periods: [Day], alerts: [StoredAlert]
  ) throws(StoreError) -> Int {
    let latest = try connection.prepare("SELECT max(closed_before) FROM budget WHERE period = ?")
    let remove = try connection.prepare("DELETE FROM budget WHERE period = ?")
    let insert = try connection.prepare("INSERT INTO budget VALUES (?, ?, ?, ?, ?)")
    let raise = try connection.prepare(
      "INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
    return try connection.transaction { () throws(StoreError) in
      for period in periods {
        let states = budgets.filter { $0.period == period }
        latest.bind(1, period.index)
        _ = try latest.step()
        let isOld = states.first.map { latest.integer(0) > $0.closedBefore.index } ?? false
        latest.reset()
        if isOld { continue }
        remove.bind(1, period.index)
        try remove.run()
        for state in states {
          insert.bind(1, state.period.index)
          insert.bind(2, state.name)
          insert.bind(3, state.closedBefore.index)
          insert.bind(4, state.subscription)
          insert.bind(5, state.document)
          try insert.run()
        }
      }
      var raised = 0
      for alert in alerts {
        raise.bind(1, alert.id)
        raise.bind(2, alert.budget)
        raise.bind(3, alert.period.index)
        raise.bind(4, alert.event)
        raise.bind(5, alert.raised.nanoseconds)
        raise.bind(6, alert.attempts)
        raise.bind(7, alert.nextTry.nanoseconds)
        if let delivered = alert.delivered {
          raise.bind(8, delivered.nanoseconds)
        } else {
          raise.bindNull(8)
        }
        raise.bind(9, alert.problem)
        try raise.run()
        raised += connection.changes
      }
      return raised
    }
  }

  package func takeAlerts(
    due now: Instant, until lease: Instant, limit: Int
  ) throws(StoreError) -> [StoredAlert] {
    let update = try connection.prepare(
      """
      UPDATE alert SET attempts = attempts + 1, next_try = ?2 WHERE id IN (
        SELECT id FROM alert WHERE delivered IS NULL AND next_try <= ?1
        ORDER BY next_try, id LIMIT ?3)
      RETURNING \(SQLiteUsageReader.alertColumns)
      """)
    update.bind(1, now.nanoseconds)
    update.bind(2, lease.nanoseconds)
    update.bind(3, Int64(limit))
    var alerts: [StoredAlert] = []
    while try update.step() { alerts.append(SQLiteUsageReader.alert(update)) }
    return alerts.sorted { $0.id < $1.id }
  }

  package func note(
    alert id: String, delivered: Instant?, nextTry: Instant, problem: String
  ) throws(StoreError) {
    let update = try connection.prepare(
      """
      UPDATE alert SET delivered = ?2, next_try = ?3, problem = ?4
      WHERE id = ?1 AND delivered IS NULL
      """)
    update.bind(1, id)
    if let delivered { update.bind(2, delivered.nanoseconds) } else { update.bindNull(2) }
    update.bind(3, nextTry.nanoseconds)
    update.bind(4, problem)
    try update.run()
  }
}

extension SQLiteUsageReader: BudgetReader {
  static let alertColumns =
    "id, budget, period, event, raised, attempts, next_try, delivered, problem"

  static func alert(_ row: Statement) -> StoredAlert {
    var alert = StoredAlert(
      id: row.text(0), budget: row.text(1), period: Day(index: row.integer(2)),
      event: row.bytes(3), raised: Instant(nanoseconds: row.integer(4)))
    alert.attempts = row.integer(5)
    alert.nextTry = Instant(nanoseconds: row.integer(6))
    alert.delivered = row.isNull(7) ? nil : Instant(nanoseconds: row.integer(7))
    alert.problem = row.text(8)
    return alert
  }

  package func budgets(
    of period: Day?, ownedBy subscriptions: [String]?, after place: BudgetPlace?, limit: Int
  ) throws(StoreError) -> [StoredBudget] {
    let select = try connection.prepare(
      """
      SELECT period, name, closed_before, subscription, document FROM budget
      WHERE (?1 IS NULL OR period = ?1)
        AND (?2 IS NULL OR (subscription <> '' AND subscription IN (SELECT value FROM json_each(?2))))
        AND (?3 IS NULL OR period < ?3 OR (period = ?3 AND name > ?4))
      ORDER BY period DESC, name LIMIT ?5
      """)
    if let period { select.bind(1, period.index) } else { select.bindNull(1) }
    if let subscriptions {
      var writer = JSONWriter()
      writer.array { writer in for name in subscriptions { writer.string(name) } }
      select.bind(2, String(decoding: writer.bytes, as: UTF8.self))
    } else {
      select.bindNull(2)
    }
    if let place { select.bind(3, place.period.index) } else { select.bindNull(3) }
    select.bind(4, place?.name ?? "")
    select.bind(5, Int64(limit))
    var budgets: [StoredBudget] = []
    while try select.step() {
      budgets.append(
        StoredBudget(
          name: select.text(1), period: Day(index: select.integer(0)),
          closedBefore: Hour(index: select.integer(2)), subscription: select.text(3),
          document: select.bytes(4)))
    }
    return budgets
  }

  package func alerts(of place: BudgetPlace?) throws(StoreError) -> [StoredAlert] {
    let select = try connection.prepare(
      """
      SELECT \(SQLiteUsageReader.alertColumns) FROM alert
      WHERE ?1 IS NULL OR (period = ?1 AND budget = ?2) ORDER BY id
      """)
    if let place { select.bind(1, place.period.index) } else { select.bindNull(1) }
    select.bind(2, place?.name ?? "")
    var alerts: [StoredAlert] = []
    while try select.step() { alerts.append(SQLiteUsageReader.alert(select)) }
    return alerts
  }
}
