internal import StackmeterCore

extension SQLiteUsageStore: BillingStore {
  package func put(rateCard card: StoredRateCard, text: [UInt8]) throws(StoreError) {
    let insert = try connection.prepare("INSERT INTO rate_card VALUES (?, ?, ?, ?, ?, ?)")
    insert.bind(1, card.name)
    insert.bind(2, card.version)
    insert.bind(3, card.effective.index)
    insert.bind(4, card.currency)
    insert.bind(5, card.hash)
    insert.bind(6, text)
    try insert.run()
  }

  package func lastStatement(of year: Int64) throws(StoreError) -> Int64 {
    let select = try connection.prepare("SELECT max(sequence) FROM statement WHERE year = ?")
    select.bind(1, year)
    _ = try select.step()
    defer { select.reset() }
    return select.integer(0)
  }

  package func put(statements: [NewStatement]) throws(StoreError) {
    let state = try connection.prepare("INSERT INTO rated_state VALUES (?, ?, ?, ?, ?)")
    let use = try connection.prepare("INSERT INTO posting_use VALUES (?, ?, ?, ?)")
    let insert = try connection.prepare(
      "INSERT INTO statement VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    try connection.transaction { () throws(StoreError) in
      for new in statements {
        let statement = new.statement
        for rated in new.states {
          state.bind(1, statement.subscription)
          state.bind(2, rated.period.index)
          state.bind(3, rated.meter)
          state.bind(4, statement.period.lowerBound.index)
          state.bind(5, rated.state)
          try state.run()
        }
        for used in new.uses {
          use.bind(1, used.posting)
          use.bind(2, statement.year)
          use.bind(3, statement.sequence)
          use.bind(4, used.amount)
          try use.run()
        }
        insert.bind(1, statement.year)
        insert.bind(2, statement.sequence)
        insert.bind(3, statement.number)
        insert.bind(4, statement.subscription)
        insert.bind(5, statement.period.lowerBound.index)
        insert.bind(6, statement.period.upperBound.index)
        insert.bind(7, statement.windows.lowerBound.index)
        insert.bind(8, statement.windows.upperBound.index)
        insert.bind(9, statement.card)
        insert.bind(10, statement.currency)
        insert.bind(11, statement.total)
        insert.bind(12, statement.hash)
        insert.bind(13, new.document)
        try insert.run()
      }
    }
  }

  package func put(postings: [Posting]) throws(StoreError) -> [Int64] {
    let insert = try connection.prepare("INSERT INTO posting VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
    return try connection.transaction { () throws(StoreError) in
      var ids: [Int64] = []
      for posting in postings {
        if posting.id == 0 { insert.bindNull(1) } else { insert.bind(1, posting.id) }
        insert.bind(2, posting.kind.rawValue)
        insert.bind(3, posting.subscription)
        insert.bind(4, posting.amount)
        insert.bind(5, posting.currency)
        insert.bind(6, posting.reason)
        insert.bind(7, posting.granted.index)
        if let expires = posting.expires {
          insert.bind(8, expires.index)
        } else {
          insert.bindNull(8)
        }
        try insert.run()
        ids.append(connection.lastRow)
      }
      return ids
    }
  }
}
