package import StackmeterCore

extension SQLiteUsageReader {
  package func tenancies(of provider: String) throws(StoreError) -> [Tenancy] {
    let statement = try connection.prepare(
      """
      SELECT subscription, from_hour, until_hour FROM tenancy WHERE provider = ?
      ORDER BY subscription, from_hour
      """)
    statement.bind(1, provider)
    var tenancies: [Tenancy] = []
    while try statement.step() {
      tenancies.append(
        Tenancy(
          provider: provider, subscription: statement.text(0),
          hours: Hour(index: statement.integer(1))..<Hour(index: statement.integer(2))))
    }
    return tenancies
  }

  package func subscriptions(
    ids: [String]?, after id: String, limit: Int
  ) throws(StoreError) -> [Subscription] {
    // The first ones of each table: both together would be gone through whole for each page.
    let first = { (table: String) in
      """
      SELECT * FROM (SELECT name FROM \(table)
        WHERE name > ?1 AND (?2 IS NULL OR name IN (SELECT value FROM json_each(?2)))
        ORDER BY name LIMIT ?3)
      """
    }
    let statement = try connection.prepare(
      """
      SELECT n.name, d.display_name, d.owner, d.cost_center, d.tags, d.state FROM (
        \(first("subscription")) UNION \(first("directory"))) n
      LEFT JOIN directory d ON d.name = n.name
      ORDER BY n.name LIMIT ?3
      """)
    statement.bind(1, id)
    if let ids {
      var writer = JSONWriter()
      writer.array { writer in for id in ids { writer.string(id) } }
      statement.bind(2, String(decoding: writer.bytes, as: UTF8.self))
    } else {
      statement.bindNull(2)
    }
    statement.bind(3, Int64(limit))
    var subscriptions: [Subscription] = []
    while try statement.step() {
      subscriptions.append(
        statement.isNull(5)
          ? Subscription(id: statement.text(0), state: .unassigned)
          : Subscription(
            id: statement.text(0), displayName: statement.text(1), owner: statement.text(2),
            costCenter: statement.text(3), tags: statement.text(4),
            state: Subscription.State(rawValue: statement.text(5)) ?? .unassigned))
    }
    return subscriptions
  }
}
