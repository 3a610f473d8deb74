import AggregatorClient
import CollectorClient
import Glibc
import QueryClient
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire

@testable import StackmeterRating

/// The real collector, aggregator and query. The day that they believe it is goes on as the script does; each time it
/// does, they are killed and started anew.
struct ProcessRatingSystem: RatingSystem {
  let cluster: Cluster
  private let clock: MovedClock
  /// What the services believed when they were started.
  private var now = Instant(parsing: "2026-10-20T00:00:00Z")!
  private var isRunning = false
  private var book: RateBook?
  private var cards: [RateCard] = []
  private var directory: [String: Subscription] = [:]
  private var isDirectoryNew = false
  private var pending: [ScriptUsage] = []
  private var postings: [WritePostingRequest] = []
  private var shares: [ShareCostRequest] = []
  private var reported = 0
  private var closed: Set<BillingPeriod> = []

  /// `script` says what meters there are.
  init(_ cluster: Cluster, script: String) async throws {
    self.cluster = cluster
    clock = try await MovedClock(in: cluster.directory)
    try write(ProcessRatingSystem.catalog(script), to: "\(cluster.directory)/meters.json")
  }

  /// What the settings of the cluster must be for a script. The card that usage is priced by is the script's first one.
  static func settings(_ directory: String, script: String) throws -> [String: String] {
    let words = script.split(separator: "\n").map { $0.split(separator: " ") }
    let name = words.first { $0.count == 2 && $0[0] == "card" }.map { String($0[1]) }
    guard let name else { throw ScriptFailure(line: 0, message: "the script has no card") }
    return [
      "STACKMETER_RATES_CARD": name, "STACKMETER_METER_CATALOG": "\(directory)/meters.json",
      "STACKMETER_SUBSCRIPTIONS": "\(directory)/subscriptions.json",
      "STACKMETER_COLLECTOR_LATENESS_LIMIT_DAYS": "366",
    ]
  }

  /// All meters that are used or priced, named as the cards name them.
  private static func catalog(_ script: String) throws -> [UInt8] {
    var names: [(id: String, name: String, unit: String)] = []
    func add(_ id: String) {
      if !names.contains(where: { $0.id.asciiLowercased == id.asciiLowercased }) {
        names.append((id, id, "units"))
      }
    }
    for (number, text) in script.split(separator: "\n").enumerated() {
      var words = try CardLine(text, number: number + 1).words.map(\.text)[...]
      switch words.popFirst() {
      case "meter": words.first.map(add)
      case "usage" where words.count > 2: add(words[words.startIndex + 2])
      case "name": words.first.map { names[names.count - 1].name = $0 }
      case "unit": words.first.map { names[names.count - 1].unit = $0 }
      default: break
      }
    }
    var writer = JSONWriter()
    writer.object { writer in
      writer.member(
        "meters",
        array: { writer in
          for meter in names {
            writer.object { writer in
              writer.member("id", string: meter.id)
              writer.member("name", string: meter.name)
              writer.member("unit", string: meter.unit)
              writer.member("category", string: "Tests")
              writer.member("resourceProvider", string: "script")
              writer.member("aggregation", string: "sum")
              writer.member("billable", true)
            }
          }
        })
    }
    return writer.bytes
  }

  var currency: Currency {
    get throws {
      guard let book else { throw ScriptFailure(line: 0, message: "there is no card yet") }
      return book.currency
    }
  }

  mutating func add(card: String) async throws {
    try await start(now)
    let response = try await cluster.call("aggregator") { channel in
      try await BillingClient(channel).applyRateCard(ApplyRateCardRequest(text: Array(card.utf8)))
    }
    guard response.problems.isEmpty else {
      throw RateCardError(
        problems: response.problems.map {
          CardProblem(CardPlace(line: Int($0.line), column: Int($0.column)), $0.message)
        })
    }
    cards.append(try RateCard(parsing: Array(card.utf8)))
    book = try RateBook(cards)
  }

  mutating func describe(_ subscription: Subscription) throws {
    directory[subscription.id] = subscription
    isDirectoryNew = true
  }

  mutating func use(_ usage: ScriptUsage) { pending.append(usage) }

  mutating func grant(_ credit: Credit, to subscription: String) {
    postings.append(
      WritePostingRequest(
        kind: "credit", subscription: subscription, amount: credit.balance.amountText,
        reason: credit.description, granted: credit.granted, expires: credit.expires))
  }

  mutating func adjust(_ subscription: String, by amount: String, reason: String) {
    postings.append(
      WritePostingRequest(
        kind: "adjustment", subscription: subscription, amount: amount, reason: reason,
        granted: Day(index: 0)))
  }

  mutating func share(
    _ description: String, _ amount: String, by key: SharedCost.Key, payer: String?
  ) throws {
    var request = ShareCostRequest(
      period: "", amount: amount, reason: description, by: "", payer: payer ?? "")
    switch key {
    case .equal: request.by = "equal"
    case .totals: request.by = "totals"
    case .usage(let meter): (request.by, request.meter) = ("usage", meter)
    case .weights(let weights):
      request.by = "weights"
      request.weights = weights.map { .init(subscription: $0, weight: $1) }
    }
    shares.append(request)
  }

  /// Has the services believe that it is `time` or later, and know the directory.
  private mutating func start(_ time: Instant) async throws {
    guard !isRunning || time > now || isDirectoryNew else { return }
    if isDirectoryNew {
      try write(SubscriptionDirectory.file(directory), to: cluster.settings.subscriptions)
      isDirectoryNew = false
    }
    now = max(now, time)
    for service in ["query", "aggregator", "collector"] { try await cluster.kill(service) }
    for service in ["collector", "aggregator", "query"] {
      try cluster.start(service, environment: clock.environment(at: now))
    }
    try await cluster.serving("collector", "aggregator", "query")
    isRunning = true
  }

  /// Reports what was used in the period and before, and waits until it can be asked for.
  private mutating func report(until period: BillingPeriod) async throws {
    let due = pending.filter { BillingPeriod(containing: $0.hour.day) <= period }
    pending.removeAll { BillingPeriod(containing: $0.hour.day) <= period }
    try await start(due.map(\.hour.end).max() ?? now)
    guard !due.isEmpty else { return }
    let first = reported
    let events = due.enumerated().map { index, usage in
      UsageEvent(
        id: "\(first + index)", source: "script",
        series: Series(
          subscription: usage.subscription, meter: usage.meter,
          resource: Resource(uri: usage.resource, location: usage.location)),
        usageStart: usage.hour.start, usageEnd: usage.hour.end, quantity: usage.quantity)
    }
    reported += events.count
    let results = try await cluster.call("collector") {
      try await CollectorClient($0).report(events)
    }
    for result in results {
      guard case .accepted = result else {
        throw ScriptFailure(line: 0, message: "an event was not accepted: \(result)")
      }
    }
    let position = try await cluster.call("collector") { channel in
      try await CollectorClient(channel).status().nextPosition
    }
    _ = try await eventually {
      let status = try? await cluster.call("query") { try await QueryClient($0).status() }
      return status.flatMap { $0.appliedPosition >= position ? true : nil }
    }
  }

  mutating func close(_ period: BillingPeriod) async throws {
    try await report(until: period)
    // What was just reported is in a window that must be closed, too.
    let end = max(period.end.firstHour, now.hour.next)
    try await start(end.start)
    _ = try await eventually {
      let status = try? await cluster.call("query") { try await QueryClient($0).status() }
      return status.flatMap { $0.openWindow >= end ? true : nil }
    }
    for share in shares {
      var share = share
      share.period = "\(period)"
      for isKnown in [false, true] {
        let asked = share
        let answer = try await cluster.call("aggregator") { channel in
          try await BillingClient(channel).shareCost(asked)
        }
        guard answer.isKnown == isKnown else {
          throw ScriptFailure(line: 0, message: "shared otherwise than once: \(answer)")
        }
      }
    }
    shares = []
    let due = postings
    postings = []
    for posting in due {
      _ = try await cluster.call("aggregator") { try await BillingClient($0).write(posting) }
    }
    var request = CloseStatementsRequest(period: "\(period)", acceptsUnrated: true)
    repeat {
      let asked = request
      let response = try await cluster.call("aggregator") { channel in
        try await BillingClient(channel).closeStatements(asked)
      }
      guard response.refused.isEmpty else {
        throw ScriptFailure(line: 0, message: "not closed: \(response.refused)")
      }
      request.after = response.nextAfter
    } while !request.after.isEmpty
    closed.insert(period)
  }

  mutating func statement(of subscription: String, _ period: BillingPeriod) async throws -> [String]
  {
    if !closed.contains(period) { try await report(until: period) }
    let found = try await cluster.call("query") { channel in
      try await QueryClient(channel).statement(
        GetStatementRequest(caller: .operator, subscription: subscription, period: "\(period)"))
    }
    return try StatementDocument(found.document).lines
  }

  mutating func charges(of subscription: String, _ period: BillingPeriod) async throws -> [String] {
    var request = ListChargesRequest(
      caller: .operator, subscription: subscription, period: "\(period)")
    var lines: [String] = []
    repeat {
      let asked = request
      let page = try await cluster.call("query") { try await QueryClient($0).listCharges(asked) }
      lines += page.charges.map(scriptLine)
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return lines
  }

  /// As `Charge.scriptLine` has it.
  private func scriptLine(_ charge: ChargeRow) -> String {
    var words = [
      charge.usage.map { String($0.start.description.prefix(13)) } ?? charge.period, charge.meter,
    ]
    if charge.kind != "usage" { words.append(charge.kind) }
    if let rate = charge.rate, charge.kind != "minimum" {
      let card = cards.first { $0.version == Int(rate.version) }
      let priced = card?.meters.first { $0.id == rate.meter }?.rates.first {
        ($0.group ?? "") == rate.group && ($0.location ?? "") == rate.location
      }
      if charge.tier == 0 { words.append("included") }
      if charge.tier > 0 && priced?.pricing.form != .flat { words.append("tier \(charge.tier)") }
    }
    words.append(charge.quantity)
    if charge.rate?.countsStarted == true { words.append("in \(charge.pricedQuantity) packages") }
    return words.joined(separator: " ") + " at \(charge.price) = \(charge.cost)"
  }

  mutating func totals(of period: BillingPeriod, by grouping: StatementGrouping) async throws
    -> [String]
  {
    let listed = try await cluster.call("query") { channel in
      try await QueryClient(channel).listStatements(
        ListStatementsRequest(caller: .operator, period: "\(period)"))
    }
    var totals: [String: Money] = [:]
    for statement in listed.statements {
      let subscription =
        directory[statement.subscription]
        ?? Subscription(id: statement.subscription, state: .unassigned)
      let name = grouping.name(of: subscription) ?? "none"
      let total = try Money(parsing: statement.total, currency)
      totals[name] = try totals[name]?.adding(total) ?? total
    }
    let names =
      totals.keys.filter { $0 != "none" }.sorted() + (totals["none"] == nil ? [] : ["none"])
    return names.map { "\($0) \(totals[$0]!.amountText)" }
  }
}

extension SubscriptionDirectory {
  fileprivate static func file(_ subscriptions: [String: Subscription]) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member(
        "subscriptions",
        array: { writer in
          for (_, subscription) in subscriptions.sorted(by: { $0.key < $1.key }) {
            writer.subscription(subscription)
          }
        })
    }
    return writer.bytes
  }
}

/// A statement's document as the lines of `Statement.description`.
private struct StatementDocument {
  let lines: [String]

  init(_ bytes: [UInt8]) throws {
    let document = Member(try JSONValue(parsing: bytes, limits: .batch))
    let (number, period) = (document["number"], document["period"])
    let draft = document.flag("provisional") ? "provisional draft" : "draft"
    let name = document["displayName"]
    var lines = [
      "\(number.isEmpty ? draft : "statement \(number)") of \(document["subscriptionId"])"
        + (name.isEmpty ? "" : " (\(name))") + " for \(period)"
    ]
    for line in document.list("lines") {
      let day = line["usageDay"].isEmpty ? line["period"] : line["usageDay"]
      lines.append(
        (line.flag("adjustment") ? "adjustment for \(day): " : "")
          + "\(line["description"]) \(line["amount"])")
    }
    lines.append("total \(document["currency"]) \(document["total"])")
    for unrated in document.list("unrated") {
      let of = unrated["period"] == period ? "" : " of \(unrated["period"])"
      lines.append("no price: \(unrated["meterId"])\(of): \(unrated["quantity"])")
    }
    if !document["taxNote"].isEmpty { lines.append(document["taxNote"]) }
    self.lines = lines
  }

  private struct Member {
    private let members: [JSONValue.Member]

    init(_ value: JSONValue) {
      if case .object(let members) = value { self.members = members } else { members = [] }
    }

    private func value(_ name: String) -> JSONValue? { members.first { $0.name == name }?.value }

    subscript(name: String) -> String { value(name)?.string ?? "" }
    func flag(_ name: String) -> Bool { value(name) == .bool(true) }
    func list(_ name: String) -> [Member] {
      guard case .array(let elements)? = value(name) else { return [] }
      return elements.map(Member.init)
    }
  }
}

/// Makes or replaces a file.
private func write(_ bytes: [UInt8], to path: String) throws {
  guard let file = fopen(path, "w") else { throw ClusterError("cannot write \(path): \(errno)") }
  defer { fclose(file) }
  guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
    throw ClusterError("cannot write \(path): \(errno)")
  }
}
