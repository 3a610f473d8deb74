internal import StackmeterCore

/// Rate cards and statements are those of all cells. Those who write them come one after the other, by an advisory lock
/// that is that of no cell.
extension PostgreSQLUsageStore: BillingStore {
  func writing<Result>(
    _ body: (PostgreSQL) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    try alone { (session) throws(StoreError) in
      try session.connection.query(
        "SELECT pg_advisory_xact_lock('pipeline'::regclass::oid::bigint * 4294967296)")
      return try body(session.connection)
    }
  }

  package func put(rateCard card: StoredRateCard, text: [UInt8]) throws(StoreError) {
    try writing { (connection) throws(StoreError) in
      _ = try connection.query(
        """
        INSERT INTO rate_card VALUES (
          $1::text, $2::bigint, $3::bigint, $4::text, $5::bytea, $6::bytea)
        """,
        [
          PostgreSQLParameter(card.name), PostgreSQLParameter(card.version),
          PostgreSQLParameter(card.effective.index), PostgreSQLParameter(card.currency),
          PostgreSQLParameter(card.hash), PostgreSQLParameter(text),
        ])
    }
  }

  package func lastStatement(of year: Int64) throws(StoreError) -> Int64 {
    try connected().connection.query(
      "SELECT coalesce(max(sequence), 0)::bigint FROM statement WHERE year = $1::bigint",
      [PostgreSQLParameter(year)]
    ).integer(0, 0)
  }

  package func put(statements: [NewStatement]) throws(StoreError) {
    try writing { (connection) throws(StoreError) in
      for new in statements { try PostgreSQLUsageStore.put(new, connection) }
    }
  }

  private static func put(
    _ new: NewStatement, _ connection: PostgreSQL
  ) throws(StoreError) {
    let statement = new.statement
    try connection.query(
      """
      INSERT INTO rated_state
      SELECT $1::text, r.period, r.meter, $2::bigint, r.state
      FROM unnest($3::bigint[], $4::text[], $5::text[]) r (period, meter, state)
      """,
      [
        PostgreSQLParameter(statement.subscription),
        PostgreSQLParameter(statement.period.lowerBound.index),
        PostgreSQLParameter(bigints: new.states.map(\.period.index)),
        PostgreSQLParameter(texts: new.states.map(\.meter)),
        PostgreSQLParameter(texts: new.states.map(\.state)),
      ])
    try connection.query(
      """
      INSERT INTO posting_use SELECT u.posting, $1::bigint, $2::bigint, u.amount
      FROM unnest($3::bigint[], $4::text[]) u (posting, amount)
      """,
      [
        PostgreSQLParameter(statement.year), PostgreSQLParameter(statement.sequence),
        PostgreSQLParameter(bigints: new.uses.map(\.posting)),
        PostgreSQLParameter(texts: new.uses.map(\.amount)),
      ])
    try connection.query(
      """
      INSERT INTO statement VALUES (
        $1::bigint, $2::bigint, $3::text, $4::text, $5::bigint, $6::bigint, $7::bigint, $8::bigint,
        $9::text, $10::text, $11::text, $12::bytea, $13::bytea)
      """,
      [
        PostgreSQLParameter(statement.year), PostgreSQLParameter(statement.sequence),
        PostgreSQLParameter(statement.number), PostgreSQLParameter(statement.subscription),
        PostgreSQLParameter(statement.period.lowerBound.index),
        PostgreSQLParameter(statement.period.upperBound.index),
        PostgreSQLParameter(statement.windows.lowerBound.index),
        PostgreSQLParameter(statement.windows.upperBound.index),
        PostgreSQLParameter(statement.card), PostgreSQLParameter(statement.currency),
        PostgreSQLParameter(statement.total), PostgreSQLParameter(statement.hash),
        PostgreSQLParameter(new.document),
      ])
  }

  package func put(postings: [Posting]) throws(StoreError) -> [Int64] {
    try writing { (connection) throws(StoreError) in
      var ids: [Int64] = []
      for posting in postings {
        ids.append(
          try connection.query(
            """
            INSERT INTO posting
            SELECT CASE WHEN $1::bigint = 0 THEN coalesce(max(id), 0) + 1 ELSE $1::bigint END,
              $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint,
              CASE WHEN $8::bigint = \(Int64.min + 1) THEN NULL ELSE $8::bigint END
            FROM posting RETURNING id
            """,
            [
              PostgreSQLParameter(posting.id), PostgreSQLParameter(posting.kind.rawValue),
              PostgreSQLParameter(posting.subscription), PostgreSQLParameter(posting.amount),
              PostgreSQLParameter(posting.currency), PostgreSQLParameter(posting.reason),
              PostgreSQLParameter(posting.granted.index),
              PostgreSQLParameter(posting.expires?.index ?? .min + 1),
            ]
          ).integer(0, 0))
      }
      return ids
    }
  }
}
