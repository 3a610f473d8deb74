internal import StackmeterCore

/// How series get their numbers: as in SQLite, so that the same journal gives the same ones.
extension PostgreSQLUsageStore {
  package func intern(_ series: [NewSeries]) throws(StoreError) -> [Int64?] {
    guard !series.isEmpty else { return [] }
    let session = try current()
    var numbers = try knownNumbers(series.map(\.series), session)
    let missing = series.indices.filter { numbers[$0] == nil }
    guard !missing.isEmpty else { return numbers }
    var names: Set<ExactText> = []
    let subscriptions = missing.map { series[$0].series.subscription }.filter {
      names.insert(ExactText($0)).inserted
    }
    var rooms = try rooms(of: subscriptions, session)
    var next = try nextSubscription(session)
    var newSubscriptions: [(id: Int64, new: NewSeries)] = []
    var given: [(number: Int64, new: NewSeries)] = []
    var byTexts: [SeriesTexts: Int64?] = [:]
    for place in missing {
      let new = series[place]
      let texts = SeriesTexts(new.series)
      if let known = byTexts[texts] {
        numbers[place] = known
        continue
      }
      let name = ExactText(new.series.subscription)
      if rooms[name] == nil {
        guard next <= SeriesNumbers.subscriptionsMax else {
          throw StoreError(.system, "there are more subscriptions than can be numbered")
        }
        newSubscriptions.append((next, new))
        rooms[name] = SubscriptionRoom(id: next, last: 0)
        next += 1
      }
      var number: Int64?
      if let room = rooms[name], room.last < seriesMax {
        number = SeriesNumbers.number(room.id, room.last + 1)
        rooms[name]?.last += 1
      }
      byTexts[texts] = .some(number)
      numbers[place] = number
      if let number { given.append((number, new)) }
    }
    try insert(newSubscriptions, session)
    try insert(given, session)
    return numbers
  }

  private func knownNumbers(
    _ series: [Series], _ session: PostgreSQLSession
  ) throws(StoreError) -> [Int64?] {
    let rows = try session.connection.query(
      """
      SELECT f.subscription, f.id
      FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
          $8::text[]) WITH ORDINALITY
        k (digest, name, meter, resource_uri, location, tags, additional_info, place)
      LEFT JOIN LATERAL (
        SELECT s.subscription, s.id FROM series s
          JOIN subscription n ON n.cell = s.cell AND n.id = s.subscription
        WHERE s.cell = $1::bigint AND s.digest = k.digest AND n.name = k.name
          AND s.meter = k.meter AND s.resource_uri = k.resource_uri AND s.location = k.location
          AND s.tags = k.tags AND s.additional_info = k.additional_info LIMIT 1) f ON true
      ORDER BY k.place
      """,
      [
        PostgreSQLParameter(session.number),
        PostgreSQLParameter(bigints: series.map(StoreDigest.series)),
        PostgreSQLParameter(texts: series.map(\.subscription)),
      ] + PostgreSQLParameter.texts(series))
    guard rows.count == series.count else {
      throw StoreError(.system, "PostgreSQL gave \(rows.count) rows for \(series.count) series")
    }
    return (0..<rows.count).map { row in
      rows.isNull(row, 0)
        ? nil : SeriesNumbers.number(rows.integer(row, 0), rows.integer(row, 1))
    }
  }

  /// The subscriptions that are there, and the last number that each has given.
  private func rooms(
    of subscriptions: [String], _ session: PostgreSQLSession
  ) throws(StoreError) -> [ExactText: SubscriptionRoom] {
    let rows = try session.connection.query(
      """
      SELECT f.id, (SELECT coalesce(max(s.id), 0) FROM series s
        WHERE s.cell = $1::bigint AND s.subscription = f.id)
      FROM unnest($2::text[]) WITH ORDINALITY k (name, place)
      LEFT JOIN LATERAL (
        SELECT n.id FROM subscription n WHERE n.cell = $1::bigint AND n.name = k.name LIMIT 1) f
        ON true
      ORDER BY k.place
      """, [PostgreSQLParameter(session.number), PostgreSQLParameter(texts: subscriptions)])
    var rooms: [ExactText: SubscriptionRoom] = [:]
    for row in 0..<rows.count where !rows.isNull(row, 0) {
      rooms[ExactText(subscriptions[row])] = SubscriptionRoom(
        id: rows.integer(row, 0), last: rows.integer(row, 1))
    }
    return rooms
  }

  private func nextSubscription(_ session: PostgreSQLSession) throws(StoreError) -> Int64 {
    try session.connection.query(
      "SELECT coalesce(max(id), 0) + 1 FROM subscription WHERE cell = $1::bigint",
      [PostgreSQLParameter(session.number)]
    ).integer(0, 0)
  }

  private func insert(
    _ subscriptions: [(id: Int64, new: NewSeries)], _ session: PostgreSQLSession
  ) throws(StoreError) {
    guard !subscriptions.isEmpty else { return }
    try session.connection.query(
      """
      INSERT INTO subscription (cell, id, name, first_window)
      SELECT $1::bigint, k.id, k.name, k.first_window
      FROM unnest($2::bigint[], $3::text[], $4::bigint[]) k (id, name, first_window)
      """,
      [
        PostgreSQLParameter(session.number), PostgreSQLParameter(bigints: subscriptions.map(\.id)),
        PostgreSQLParameter(texts: subscriptions.map(\.new.series.subscription)),
        PostgreSQLParameter(bigints: subscriptions.map(\.new.firstWindow.index)),
      ])
  }

  private func insert(
    _ given: [(number: Int64, new: NewSeries)], _ session: PostgreSQLSession
  ) throws(StoreError) {
    guard !given.isEmpty else { return }
    let series = given.map(\.new.series)
    try session.connection.query(
      """
      INSERT INTO series (cell, subscription, id, digest, first_window, first_position, meter,
        resource_uri, location, tags, additional_info)
      SELECT $1::bigint, k.subscription, k.id, k.digest, k.first_window, k.first_position, k.meter,
        k.resource_uri, k.location, k.tags, k.additional_info
      FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
          $8::text[], $9::text[], $10::text[], $11::text[])
        k (subscription, id, digest, first_window, first_position, meter, resource_uri, location,
          tags, additional_info)
      """,
      [
        PostgreSQLParameter(session.number),
        PostgreSQLParameter(bigints: given.map { SeriesNumbers.subscription(ofSeries: $0.number) }),
        PostgreSQLParameter(bigints: given.map { SeriesNumbers.withinSubscription($0.number) }),
        PostgreSQLParameter(bigints: series.map(StoreDigest.series)),
        PostgreSQLParameter(bigints: given.map(\.new.firstWindow.index)),
        PostgreSQLParameter(bigints: given.map { Int64(bitPattern: $0.new.firstPosition) }),
      ] + PostgreSQLParameter.texts(series))
  }
}

/// A subscription, and the last number of its series.
private struct SubscriptionRoom {
  let id: Int64
  var last: Int64
}

/// The texts of a series as the database compares them: byte by byte.
private struct SeriesTexts: Hashable {
  private let texts: [ExactText]

  init(_ series: Series) {
    texts = [
      series.subscription, series.meter, series.resource.uri, series.resource.location,
      series.resource.tags, series.resource.additionalInfo,
    ].map { ExactText($0) }
  }
}

extension PostgreSQLParameter {
  /// Five arrays: the texts of series, without their subscriptions.
  fileprivate static func texts(_ series: [Series]) -> [PostgreSQLParameter] {
    [
      PostgreSQLParameter(texts: series.map(\.meter)),
      PostgreSQLParameter(texts: series.map(\.resource.uri)),
      PostgreSQLParameter(texts: series.map(\.resource.location)),
      PostgreSQLParameter(texts: series.map(\.resource.tags)),
      PostgreSQLParameter(texts: series.map(\.resource.additionalInfo)),
    ]
  }
}
