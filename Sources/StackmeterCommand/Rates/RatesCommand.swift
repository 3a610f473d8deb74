internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime

/// `stackmeter rates`.
struct RatesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rates",
    abstract: "Check, compare, try and add rate cards, and show those that were added.",
    discussion: """
      A rate card is a text file; deploy/config/rates.txt is one with each thing that a card can say. check and diff \
      read files only and need no service.
      """,
    subcommands: [
      RatesCheckCommand.self, RatesDiffCommand.self, RatesTryCommand.self, RatesApplyCommand.self,
      RatesListCommand.self, RatesShowCommand.self,
    ])

  /// Reads a card, or throws its problems, each behind the name of the file.
  static func card(_ file: String, _ catalog: MeterCatalog? = nil) throws -> RateCard {
    let content = try fileContent(file, bytesMax: RateCardLimits.fileBytesMax)
    do throws(RateCardError) { return try RateCard(parsing: content, catalog: catalog) } catch {
      throw RateProblems(lines: error.problems.map { "\(file):\($0)" })
    }
  }

  /// Runs a command; problems with cards go to standard error, one a line, and exit with 65.
  static func reportingProblems(_ body: () async throws -> Void) async throws {
    try await reportingFailure {
      do { try await body() } catch let problems as RateProblems {
        for line in problems.lines {
          StandardStream.error.write("\(terminalText(line))\n")
        }
        throw ExitCode(65)
      }
    }
  }
}

/// What is wrong with rate cards, each with the name of its file.
struct RateProblems: Error, Equatable {
  let lines: [String]
}

/// `stackmeter rates check`.
struct RatesCheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Say everything that is wrong with rate cards.",
    discussion: """
      Several files are versions of one card, and are checked against each other, too. Exits with 65 where something \
      is wrong.
      """)

  @Option(
    help: ArgumentHelp(
      "The catalog of meters, meters.json: that each meter of the card is in it, and billable.",
      valueName: "file"))
  var meters: String?
  @Argument(help: "The cards.")
  var files: [String]

  func run() async throws {
    try await RatesCommand.reportingProblems {
      StandardStream.output.write(
        terminalText(try Self.check(files, catalog: try meters.map(Self.catalog))))
    }
  }

  private static func catalog(_ file: String) throws -> MeterCatalog {
    do { return try MeterCatalog(json: fileContent(file)) } catch let error as MeterCatalogError {
      throw RateProblems(lines: error.problems.map { "\(file): \($0)" })
    }
  }

  /// What there is to say of cards that are right; throws all that is wrong with others.
  static func check(_ files: [String], catalog: MeterCatalog?) throws -> String {
    var problems: [String] = []
    var lines: [String] = []
    var cards: [RateCard] = []
    for file in files {
      do {
        let card = try RatesCommand.card(file, catalog)
        cards.append(card)
        lines.append("\(file): \(summary(card))")
        guard let catalog else { continue }
        let unpriced = card.unpriced(in: catalog)
        if !unpriced.isEmpty {
          lines.append(
            "\(file): \(count(unpriced.count, "billable meter")) of the catalog without a rate: "
              + "\(unpriced.count == 1 ? "its" : "their") usage stands on statements without a price"
          )
        }
      } catch let error as RateProblems { problems += error.lines }
    }
    if cards.count == files.count {
      do throws(RateBookError) { _ = try RateBook(cards) } catch { problems += error.problems }
    }
    guard problems.isEmpty else { throw RateProblems(lines: problems) }
    return lines.joined(separator: "\n") + "\n"
  }

  /// `standard 3, in EUR from 2026-12-01: 4 meters, 7 rates, 1 group; all good`.
  private static func summary(_ card: RateCard) -> String {
    let rates = card.meters.reduce(0) { $0 + $1.rates.count }
    return "\(card.reference), in \(card.currency.code) from \(card.effective): "
      + "\(count(card.meters.count, "meter")), \(count(rates, "rate")), "
      + "\(count(card.groups.count, "group")); all good"
  }

  private static func count(_ number: Int, _ noun: String) -> String {
    number == 0 ? "no \(noun)" : number == 1 ? "1 \(noun)" : "\(number) \(noun)s"
  }
}

/// `stackmeter rates diff`.
struct RatesDiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Say in words what one rate card does differently from another.",
    discussion: "Exits with 65 where one of the two is wrong.")

  @Argument(help: "The card as it is.")
  var old: String
  @Argument(help: "The card as it is to be.")
  var new: String

  func run() async throws {
    try await RatesCommand.reportingProblems {
      StandardStream.output.write(terminalText(try Self.difference(old, new)))
    }
  }

  /// One line for the versions, then one for each change.
  static func difference(_ old: String, _ new: String) throws -> String {
    var problems: [String] = []
    var cards: [RateCard] = []
    for file in [old, new] {
      do { cards.append(try RatesCommand.card(file)) } catch let error as RateProblems {
        problems += error.lines
      }
    }
    guard problems.isEmpty else { throw RateProblems(lines: problems) }
    let changes = cards[0].changes(to: cards[1])
    let title =
      "\(cards[0].reference) from \(cards[0].effective) -> \(cards[1].reference) from "
      + "\(cards[1].effective)"
    return ([title] + (changes.isEmpty ? ["no difference"] : changes)).joined(separator: "\n")
      + "\n"
  }
}
