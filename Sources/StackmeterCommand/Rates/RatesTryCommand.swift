internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime
internal import StackmeterWire

/// `stackmeter rates try`.
struct RatesTryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "try",
    abstract: "Say what a billing period would have cost by a draft of a rate card.",
    discussion: """
      Nothing is stored. All usage of the period that is known now is priced twice: by the card in force, and by the \
      draft as if it had held for the whole period. What statements add to that, such as credits and adjustments of \
      earlier periods, is the same by any card and left out. Exits with 65 where the card is wrong, or the difference \
      of a subscription passes the limit.
      """)

  @OptionGroup var options: SettingsOptions
  @Option(help: "The billing period, such as 2026-11.")
  var period: String
  @Option(help: "How much what a subscription owes may differ, such as 5%.")
  var limit: String?
  @Option(help: "Only that of a subscription; may be repeated.")
  var subscription: [String] = []
  @Flag(help: "Only the totals of subscriptions, not the meters that differ.")
  var totals = false
  @Argument(help: "The draft.")
  var file: String

  func validate() throws { _ = try limit.map(CardTrialLimit.init) }

  func run() async throws {
    try await RatesCommand.reportingProblems {
      let settings = try options.settings()
      let text = try fileContent(file, bytesMax: ApplyRateCardRequest.textBytesMax)
      let limit = try self.limit.map(CardTrialLimit.init)
      var report = CardTrialReport(limit: limit, showsLines: !totals)
      try await report.run(
        settings, text: text, file: file, period: period, subscriptions: subscription
      ) { StandardStream.output.write(terminalText($0)) }
      StandardStream.output.write(terminalText(report.summary))
      if !report.passing.isEmpty { throw RateProblems(lines: report.refusal(file)) }
    }
  }
}

/// A limit as it is written on the command line.
struct CardTrialLimit {
  let limit: PriceLimit

  init(_ text: String) throws {
    do throws(DecimalError) { limit = try PriceLimit(parsing: text) } catch {
      throw ValidationError(
        "--limit must be a percentage such as 5% or 0.5%, at most \(PriceLimit.percentMax)%")
    }
  }
}

/// What a draft of a card would change, subscription by subscription.
struct CardTrialReport {
  /// More tenants that pass the limit are counted only.
  static let namedMax = 20

  let limit: CardTrialLimit?
  let showsLines: Bool
  private(set) var passing: [String] = []
  private(set) var priced = 0
  private var changed = 0
  private var current: Money?
  private var tried: Money?
  private var isProvisional = false
  private var period = ""

  init(limit: CardTrialLimit?, showsLines: Bool) {
    self.limit = limit
    self.showsLines = showsLines
  }

  /// Asks page by page; `write` takes what each page says.
  mutating func run(
    _ settings: Settings, text: [UInt8], file: String, period: String, subscriptions: [String],
    _ write: (String) -> Void
  ) async throws {
    var request = TryRateCardRequest(
      caller: .operator, text: text, period: period, subscriptions: subscriptions)
    self.period = period
    repeat {
      let asked = request
      let page = try await withService("query", of: settings) { channel in
        try await QueryClient(channel).tryRateCard(asked)
      }
      guard page.problems.isEmpty else {
        throw RateProblems(lines: page.problems.map { $0.text(of: file) })
      }
      write(try take(page))
      request.after = page.nextAfter
    } while !request.after.isEmpty
  }

  /// Counts a page, and says what is on it.
  mutating func take(_ page: TryRateCardResponse) throws -> String {
    guard let currency = Currency(code: page.currency) else {
      throw RateProblems(lines: ["query answered in a currency that is none: \(page.currency)"])
    }
    isProvisional = page.isProvisional
    var text = ""
    current = current ?? .zero(currency)
    tried = tried ?? .zero(currency)
    for statement in page.statements {
      let before = try Money(parsing: statement.current, currency)
      let after = try Money(parsing: statement.tried, currency)
      current = try current?.adding(before)
      tried = try tried?.adding(after)
      priced += 1
      let isPassing = limit?.limit.isPassed(from: before, to: after) ?? false
      if isPassing { passing.append(statement.subscription) }
      guard !statement.lines.isEmpty else { continue }
      changed += 1
      let name = statement.displayName.isEmpty ? "" : " (\(statement.displayName))"
      text +=
        "\(statement.subscription)\(name): \(CardTrialReport.change(before, after))"
        + (isPassing ? ", passes the limit" : "") + "\n"
      guard showsLines else { continue }
      for line in statement.lines {
        text += "  \(line.title): "
        if line.isCurrentUnrated != line.isTriedUnrated {
          text += line.isTriedUnrated ? "has no price any more, " : "gets a price, "
        }
        text +=
          try CardTrialReport.change(
            Money(parsing: line.current, currency), Money(parsing: line.tried, currency)) + "\n"
      }
    }
    return text
  }

  /// `10.00 -> 12.50 (+2.50, +25.0%)`.
  static func change(_ before: Money, _ after: Money) -> String {
    let difference = Money(after.minorUnits - before.minorUnits, before.currency)
    let sign = difference.isNegative || difference.isZero ? "" : "+"
    var text = "\(before.amountText) -> \(after.amountText) (\(sign)\(difference.amountText)"
    // Tenths of a percent, a half away from zero.
    let whole = before.minorUnits.magnitude
    let parts = difference.minorUnits.magnitude.multipliedReportingOverflow(by: 2000)
    if whole > 0, whole < UInt128.max / 4, !parts.overflow, parts.partialValue < UInt128.max / 4 {
      let tenths = (parts.partialValue + whole) / (2 * whole)
      let isDown = difference.isNegative != before.isNegative && tenths > 0
      text += ", \(tenths == 0 ? "" : isDown ? "-" : "+")\(tenths / 10).\(tenths % 10)%"
    }
    return text + ")"
  }

  /// The last lines.
  var summary: String {
    guard let current, let tried, priced > 0 else { return "nothing was used in \(period)\n" }
    return
      "\(priced) \(priced == 1 ? "subscription" : "subscriptions") in \(period), \(changed) with a difference: "
      + "\(CardTrialReport.change(current, tried)) \(current.currency.code)\n"
      + (isProvisional ? "\(period) is not over: there may be more usage\n" : "")
  }

  /// Whose difference passes the limit.
  func refusal(_ file: String) -> [String] {
    let named = passing.prefix(CardTrialReport.namedMax)
    let others = passing.count - named.count
    return [
      "\(file): the difference in \(period) passes \(limit.map { "\($0.limit)" } ?? "the limit") for "
        + named.joined(separator: ", ") + (others > 0 ? " and \(others) others" : "")
    ]
  }
}

extension ApplyRateCardResponse.Problem {
  func text(of file: String) -> String {
    line == 0 ? "\(file): \(message)" : "\(file):\(line):\(column): \(message)"
  }
}
