package import StackmeterCore

extension SQLiteUsageReader: BillingReader {
  package func rateCards(named name: String?) throws(StoreError) -> [StoredRateCard] {
    let select = try connection.prepare(
      """
      SELECT name, version, effective, currency, sha256, length(content) FROM rate_card
      WHERE ?1 IS NULL OR name = ?1 ORDER BY name, version
      """)
    if let name { select.bind(1, name) } else { select.bindNull(1) }
    var cards: [StoredRateCard] = []
    while try select.step() {
      cards.append(
        StoredRateCard(
          name: select.text(0), version: select.integer(1),
          effective: Day(index: select.integer(2)), currency: select.text(3),
          hash: select.bytes(4), byteCount: select.integer(5)))
    }
    return cards
  }

  package func rateCardText(_ name: String, _ version: Int64) throws(StoreError) -> [UInt8]? {
    let select = try connection.prepare(
      "SELECT content FROM rate_card WHERE name = ? AND version = ?")
    select.bind(1, name)
    select.bind(2, version)
    defer { select.reset() }
    return try select.step() ? select.bytes(0) : nil
  }

  private static let columns = """
    year, sequence, number, subscription, period, period_end, from_window, to_window, card,
    currency, total, sha256
    """

  private func statement(_ row: Statement) -> StoredStatement {
    StoredStatement(
      year: row.integer(0), sequence: row.integer(1), number: row.text(2),
      subscription: row.text(3),
      period: Day(index: row.integer(4))..<Day(index: row.integer(5)),
      windows: Hour(index: row.integer(6))..<Hour(index: row.integer(7)), card: row.text(8),
      currency: row.text(9), total: row.text(10), hash: row.bytes(11))
  }

  package func statements(
    _ filter: StatementFilter, after place: StatementPlace?, limit: Int
  ) throws(StoreError) -> [StoredStatement] {
    // Those of some subscriptions are found by them: nothing else that the question says may choose another index.
    let isOfSome = filter.subscriptions != nil
    let select = try connection.prepare(
      """
      SELECT \(SQLiteUsageReader.columns) FROM statement
      WHERE (\(isOfSome ? "+" : "")year, sequence) > (?1, ?2)
        \(isOfSome ? "AND subscription IN (SELECT value FROM json_each(?3))" : "")
        AND (?4 IS NULL OR period = ?4)
      ORDER BY year, sequence LIMIT ?5
      """)
    select.bind(1, place?.year ?? .min)
    select.bind(2, place?.sequence ?? .min)
    if let subscriptions = filter.subscriptions {
      var writer = JSONWriter()
      writer.array { writer in for name in subscriptions { writer.string(name) } }
      select.bind(3, String(decoding: writer.bytes, as: UTF8.self))
    }
    if let period = filter.period { select.bind(4, period.index) } else { select.bindNull(4) }
    select.bind(5, Int64(limit))
    var statements: [StoredStatement] = []
    while try select.step() { statements.append(statement(select)) }
    return statements
  }

  package func statement(
    _ place: StatementPlace
  ) throws(StoreError) -> (statement: StoredStatement, document: [UInt8])? {
    let select = try connection.prepare(
      """
      SELECT \(SQLiteUsageReader.columns), document FROM statement
      WHERE year = ? AND sequence = ?
      """)
    select.bind(1, place.year)
    select.bind(2, place.sequence)
    defer { select.reset() }
    return try select.step() ? (statement(select), select.bytes(12)) : nil
  }

  package func lastStatement(
    of subscription: String, before period: Day
  ) throws(StoreError) -> StoredStatement? {
    let select = try connection.prepare(
      """
      SELECT \(SQLiteUsageReader.columns) FROM statement
      WHERE subscription = ? AND period < ? ORDER BY period DESC LIMIT 1
      """)
    select.bind(1, subscription)
    select.bind(2, period.index)
    defer { select.reset() }
    return try select.step() ? statement(select) : nil
  }

  package func closedUntil(card: String) throws(StoreError) -> Day? {
    let select = try connection.prepare("SELECT max(period_end) FROM statement WHERE card = ?")
    select.bind(1, card)
    _ = try select.step()
    defer { select.reset() }
    return select.isNull(0) ? nil : Day(index: select.integer(0))
  }

  package func ratedStates(
    of subscription: String, before period: Day
  ) throws(StoreError) -> [RatedState] {
    try ratedStates(
      """
      SELECT period, meter, state, max(statement_period) FROM rated_state
      WHERE subscription = ? AND statement_period < ? GROUP BY period, meter ORDER BY period, meter
      """, subscription, period)
  }

  package func ratedStates(
    of subscription: String, ofStatementOf period: Day
  ) throws(StoreError) -> [RatedState] {
    try ratedStates(
      """
      SELECT period, meter, state FROM rated_state
      WHERE subscription = ? AND statement_period = ? ORDER BY period, meter
      """, subscription, period)
  }

  private func ratedStates(
    _ sql: String, _ subscription: String, _ period: Day
  ) throws(StoreError) -> [RatedState] {
    let select = try connection.prepare(sql)
    select.bind(1, subscription)
    select.bind(2, period.index)
    var states: [RatedState] = []
    while try select.step() {
      states.append(
        RatedState(
          period: Day(index: select.integer(0)), meter: select.text(1), state: select.text(2)))
    }
    return states
  }

  package func postings(
    of subscription: String?, usedBefore period: Day?
  ) throws(StoreError) -> [(posting: Posting, used: [PostingUse])] {
    let select = try connection.prepare(
      """
      SELECT p.id, p.kind, p.subscription, p.amount, p.currency, p.reason, p.granted, p.expires,
        u.amount
      FROM posting p LEFT JOIN (
        SELECT u.posting, u.amount, u.year, u.sequence FROM posting_use u
        JOIN statement s ON s.year = u.year AND s.sequence = u.sequence
        WHERE ?2 IS NULL OR s.period < ?2) u ON u.posting = p.id
      WHERE ?1 IS NULL OR p.subscription = ?1 ORDER BY p.id, u.year, u.sequence
      """)
    if let subscription { select.bind(1, subscription) } else { select.bindNull(1) }
    if let period { select.bind(2, period.index) } else { select.bindNull(2) }
    var found: [(posting: Posting, used: [PostingUse])] = []
    while try select.step() {
      let id = select.integer(0)
      if found.last?.posting.id != id {
        found.append(
          (
            Posting(
              id: id, kind: Posting.Kind(rawValue: select.text(1)) ?? .adjustment,
              subscription: select.text(2), amount: select.text(3), currency: select.text(4),
              reason: select.text(5), granted: Day(index: select.integer(6)),
              expires: select.isNull(7) ? nil : Day(index: select.integer(7))), []
          ))
      }
      if !select.isNull(8) {
        found[found.count - 1].used.append(PostingUse(posting: id, amount: select.text(8)))
      }
    }
    return found
  }

  package func uses(_ place: StatementPlace) throws(StoreError) -> [PostingUse] {
    let select = try connection.prepare(
      "SELECT posting, amount FROM posting_use WHERE year = ? AND sequence = ? ORDER BY posting")
    select.bind(1, place.year)
    select.bind(2, place.sequence)
    var uses: [PostingUse] = []
    while try select.step() {
      uses.append(PostingUse(posting: select.integer(0), amount: select.text(1)))
    }
    return uses
  }
}
