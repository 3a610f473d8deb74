import StackmeterCore

@testable import StackmeterRating

/// Runs a script against a system, line by line; throws `ScriptFailure` where they do not agree.
struct ScriptRunner<System: RatingSystem> {
  var system: System
  private var lines: [(number: Int, text: String)]
  private var position = 0
  private var number = 0
  /// Problems that the next card must have.
  private var refusal: [String]?

  init(_ script: String, _ system: System) {
    self.system = system
    lines = script.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map {
      ($0 + 1, String($1))
    }
  }

  /// How many lines were compared.
  private(set) var comparisons = 0

  mutating func run() async throws {
    while position < lines.count {
      let line = lines[position]
      position += 1
      number = line.number
      let words = try words(line.text)
      if words.isEmpty { continue }
      do { try await run(words) } catch let failure as ScriptFailure where failure.line > 0 {
        throw failure
      } catch { throw failure("\(error)") }
    }
    guard refusal == nil else { throw failure("no card follows what is to be refused") }
  }

  private func failure(_ message: String) -> ScriptFailure {
    ScriptFailure(line: number, message: message)
  }

  /// Words are divided by spaces; quotes hold spaces.
  private func words(_ text: String) throws -> [String] {
    do {
      var line = try CardLine(text[...], number: number)
      var words: [String] = []
      while !line.isEmpty { words.append(try line.next("a word").text) }
      return words
    } catch { throw failure("\(error)") }
  }

  /// The lines up to `end`.
  private mutating func block() throws -> [String] {
    var block: [String] = []
    while position < lines.count {
      let line = lines[position].text
      position += 1
      if line.split(separator: " ").joined() == "end" { return block }
      block.append(line)
    }
    throw failure("the block has no end")
  }

  private mutating func run(_ words: [String]) async throws {
    let rest = Array(words.dropFirst())
    switch words[0] {
    case "card": try await card(try block())
    case "refused": refusal = try block().map(scriptLine)
    case "subscription": try await describe(rest)
    case "usage": try await use(rest)
    case "credit": try await grant(rest)
    case "adjust" where rest.count == 3:
      try await system.adjust(rest[0], by: rest[1], reason: rest[2])
    case "share" where rest.count >= 3: try await share(rest)
    case "close" where rest.count == 1: try await system.close(try period(rest[0]))
    case "statement" where rest.count == 2:
      try compare(try await system.statement(of: rest[0], try period(rest[1])))
    case "charges" where rest.count == 2:
      try compare(try await system.charges(of: rest[0], try period(rest[1])))
    case "totals" where rest.count >= 3 && rest[1] == "by":
      let grouping: StatementGrouping? =
        switch (rest[2], rest.count) {
        case ("cost-center", 3): .costCenter
        case ("owner", 3): .owner
        case ("tag", 4): .tag(rest[3])
        default: nil
        }
      guard let grouping else { throw failure("totals by cost-center, owner or tag NAME") }
      try compare(try await system.totals(of: try period(rest[0]), by: grouping))
    default: throw failure("not understood: \(words.joined(separator: " "))")
    }
  }

  private mutating func card(_ lines: [String]) async throws {
    let expected = refusal
    refusal = nil
    do {
      try await system.add(card: lines.joined(separator: "\n"))
    } catch let error as RateCardError {
      guard let expected else { throw error }
      try compare(expected, error.problems.map(\.description))
      return
    }
    if expected != nil { throw failure("the card was to be refused and was taken") }
  }

  private func period(_ text: String) throws -> BillingPeriod {
    guard let period = BillingPeriod(parsing: text) else {
      throw failure("\(text) is no period such as 2026-11")
    }
    return period
  }

  private mutating func describe(_ words: [String]) async throws {
    guard let id = words.first else { throw failure("which subscription?") }
    var subscription = Subscription(id: id, state: .active)
    var tags: [(name: String, value: String)] = []
    var rest = words.dropFirst()
    while let word = rest.popFirst(), let value = rest.popFirst() {
      switch word {
      case "name": subscription.displayName = value
      case "cost-center": subscription.costCenter = value
      case "owner": subscription.owner = value
      case "tag": tags.append((value, rest.popFirst() ?? ""))
      default: throw failure("a subscription has no \(word)")
      }
    }
    subscription.tags = Resource.canonicalTags(tags)
    try await system.describe(subscription)
  }

  private mutating func use(_ words: [String]) async throws {
    guard words.count >= 4, let start = Instant(parsing: "\(words[0]):00:00Z") else {
      throw failure("usage HOUR SUBSCRIPTION METER QUANTITY")
    }
    var location = ""
    var resource = "/resource"
    var rest = words.dropFirst(4)
    while let word = rest.popFirst(), let value = rest.popFirst() {
      switch word {
      case "in": location = value
      case "on": resource = value
      default: throw failure("usage has no \(word)")
      }
    }
    try await system.use(
      ScriptUsage(
        hour: start.hour, subscription: words[1], meter: words[2],
        quantity: try Quantity(parsing: words[3]), location: location, resource: resource))
  }

  private mutating func grant(_ words: [String]) async throws {
    guard words.count == 3 || (words.count == 5 && words[3] == "expires") else {
      throw failure("credit SUBSCRIPTION AMOUNT TEXT [expires DAY]")
    }
    let credit = Credit(
      id: "\(number)", description: words[2], granted: Day(index: 0),
      expires: words.count == 5 ? Day(parsing: words[4]) : nil,
      balance: try await Money(parsing: words[1], system.currency))
    try await system.grant(credit, to: words[0])
  }

  private mutating func share(_ words: [String]) async throws {
    var rest = words.dropFirst(2)
    let key: SharedCost.Key
    switch rest.popFirst() {
    case "equally": key = .equal
    case "by-totals": key = .totals
    case "by-usage": key = .usage(meter: rest.popFirst() ?? "")
    case "by-weights":
      var weights: [String: Quantity] = [:]
      while let pair = rest.first?.split(separator: "="), pair.count == 2 {
        weights[String(pair[0])] = try Quantity(parsing: pair[1])
        rest.removeFirst()
      }
      key = .weights(weights)
    default:
      throw failure(
        "a cost is shared equally, by-totals, by-usage METER or by-weights SUBSCRIPTION=NUMBER …")
    }
    let payer = rest.popFirst() == "paid-by" ? rest.popFirst() : nil
    try await system.share(words[0], words[1], by: key, payer: payer)
  }

  private mutating func compare(_ actual: [String]) throws {
    try compare(try block(), actual)
  }

  private mutating func compare(_ expected: [String], _ actual: [String]) throws {
    let wanted = expected.map(scriptLine).filter { !$0.isEmpty }
    let found = actual.map(scriptLine).filter { !$0.isEmpty }
    guard wanted == found, !wanted.isEmpty else {
      throw failure(
        "expected\n  " + wanted.joined(separator: "\n  ") + "\nand found\n  "
          + found.joined(separator: "\n  "))
    }
    comparisons += wanted.count
  }
}

/// A line without the spaces that do not count.
private func scriptLine(_ line: String) -> String {
  line.split(separator: " ").joined(separator: " ")
}
