import StackmeterCore
import Testing

@testable import StackmeterRating

@Suite struct CardProblemTests {
  private static let head = "card c\nversion 1\neffective 2026-11-01\ncurrency EUR\n"

  @Test func `every problem of a card is said at once, with its place and what to do`() {
    let text = """
      card my card
      version 0
      effective 2026-02-30
      currency DEM
      rounding up
      grup internal
      group internal
        discount 20
      meter m
        rate for extern
          price 1,50
        rate
          graduated
            up-to 100 1
            up-to 50 0.9
      meter M
        rate
          price 1 per 7
      """
    #expect(
      problems(text) == [
        "1:9: \"card\" is too much here: remove it, or put a text with spaces in quotes",
        "2:9: the version is a whole number from 1 to 999999",
        "3:11: the day must be one of the calendar, written 2026-12-31; it begins at 00:00 UTC",
        "4:10: DEM is not the code of a currency in use by ISO 4217, such as EUR or USD",
        "5:10: up is no rule of rounding: write one of half-away-from-zero, half-even, half-toward-zero, "
          + "away-from-zero, toward-zero",
        "6:1: grup is no word of a rate card: did you mean group?",
        "7:1: the group has no members: add a line with subscription, cost-center, owner or tag",
        "8:12: a discount is a percentage: write 20%",
        "10:8: there is no group extern: add it, or correct its name",
        "11:11: the price 1,50 is not a decimal number such as 12.5 (digits and a point, no comma)",
        "13:5: the last tier has an end: add beyond and the price of all that is more",
        "15:13: the tier ends at 50, where the one above has ended at 100: put the tiers in order",
        "16:7: meter M stands in line 9 already: keep one of the two",
        "18:11: 1 per 7 is not exact for one: it needs more than 18 digits. Write the price of one, or of another "
          + "number",
      ])
  }

  @Test func `an empty card says what is missing`() {
    #expect(
      problems("") == [
        "1:1: card is missing: add a line such as card standard at the top",
        "1:1: version is missing: add a line such as version 1 at the top",
        "1:1: effective is missing: add a line such as effective 2026-12-01 at the top",
        "1:1: currency is missing: add a line such as currency EUR at the top",
        "1:1: the card prices nothing: add a meter with a rate",
      ])
  }

  /// Lines below a good head, and the one problem of them.
  @Test(arguments: [
    ("meter\nrate\nprice 1", "5:6: the id of the meter is missing at the end of the line"),
    ("meter m", "5:1: the meter has no rate: add rate, and below it price"),
    ("meter m\nrate", "6:1: the rate has no price: add price, graduated or volume below it"),
    ("meter m\nrate\nprice", "7:6: a price is missing at the end of the line"),
    ("meter m\nrate\nprice -1", "7:7: the price -1 is below zero"),
    (
      "meter m\nrate\nprice 0.0000000000001",
      "7:7: the price 0.0000000000001 has more than 12 digits after the point"
    ),
    ("meter m\nrate\nprice 1000000000000", "7:7: the price 1000000000000 is too large"),
    (
      "meter m\nrate\nprice 1\nprice 2",
      "8:1: the rate has its prices in line 7 already: a rate has one form"
    ),
    ("meter m\nrate\nprice 1\nup-to 5 1", "8:1: up-to stands below graduated or volume"),
    (
      "meter m\nrate\nvolume\nbeyond 1",
      "7:1: there is one tier only: write price in place of volume"
    ),
    (
      "meter m\nrate\nvolume\nup-to 1 1\nbeyond 2\nup-to 3 1",
      "10:1: nothing can follow beyond: move it to the end of the tiers"
    ),
    (
      "meter m\nrate\nvolume\nup-to 0 1\nbeyond 2", "8:7: the end of the tier: 0 is not above zero"
    ),
    (
      "meter m\nrate\nprice 1 per started 10\nincluded 15",
      "8:10: the quantity included, 15, is not a whole number of packages of 10"
    ),
    (
      "meter m\nrate\nvolume per started 10\nup-to 15 1\nbeyond 2",
      "8:7: the end of the tier, 15, is not a whole number of packages of 10"
    ),
    (
      "meter m\nrate\nprice 1\nincluded 5 before-tiers",
      "8:10: there are no tiers: remove before-tiers"
    ),
    (
      "meter m\nrate\nvolume\nup-to 9223372036854775807 1\nbeyond 2\nincluded 1 before-tiers",
      "10:10: the tiers after 1 end past what a quantity can be"
    ),
    (
      "meter m\nrate\nprice 1\nminimum 1.005",
      "8:9: the minimum 1.005 has more digits after the point than the 2 of EUR"
    ),
    ("meter m\nrate\nprice 1\nminimum 0", "8:9: the minimum 0 is not above zero"),
    ("meter m\nrate\nprice 1\ndiscount 101%", "8:10: the discount 101% is above 100 %"),
    ("meter m\nrate\nprice 1\ndiscount 0%", "8:10: a discount of nothing: remove the line"),
    (
      "meter m\nrate\nprice 1\ndiscount 5%\ndiscount 6%",
      "9:1: discount stands in line 8 already: keep one of the two"
    ),
    (
      "meter m\nrate\nprice 0.000000000001 per 100\ndiscount 0.0001%",
      "7:7: 0.000000000001 less 0.0001% is not exact: it needs more than 18 digits. Write a price or a discount with "
        + "fewer digits"
    ),
    (
      "meter m\nrate at noon\nprice 1",
      "6:6: a rate is for a group, in a location, both, or for all"
    ),
    (
      "meter m\nrate\nprice 1\nrate\nprice 2",
      "8:1: a rate for the same subscriptions and location stands in line 6 already: keep one of the two"
    ),
    (
      "meter m\nrate in West\nprice 1\nrate in west\nprice 2",
      "8:1: a rate for the same subscriptions and location stands in line 6 already: keep one of the two"
    ),
    ("meter m\nrate\nprice 1\nname x", "8:1: name stands below a meter and above its rates"),
    (
      "group g\nsubscription s\ncommitment 10\nmeter m\nrate\nprice 1",
      "7:14: say what the commitment is worth: write commitment 10 discount 10%"
    ),
    (
      "group g\nsubscription s\ncommitment 10.001 discount 5%\nmeter m\nrate\nprice 1",
      "7:12: the commitment 10.001 has more digits after the point than the 2 of EUR"
    ),
    (
      "group g\nsubscription S\ngroup h\nsubscription s\nmeter m\nrate\nprice 1",
      "8:14: subscription s stands in line 6 already: keep one of the two"
    ),
    (
      "group g h\nowner o\nmeter m\nrate\nprice 1",
      "5:9: \"h\" is too much here: remove it, or put a text with spaces in quotes"
    ),
    (
      "group g/h\nowner o\nmeter m\nrate\nprice 1",
      "5:7: the name of the group must be 1 to 64 letters a-z, digits, - . _"
    ),
    ("owner o\nmeter m\nrate\nprice 1", "5:1: owner stands below a group"),
    (
      "meter m\nname \"x\nrate\nprice 1",
      "6:6: the text in quotes does not end: add a \" at its end"
    ),
    ("meter m\nname \"x\"y\nrate\nprice 1", "6:9: put a space after the text in quotes"),
    (
      "meter m\nname x\"y\nrate\nprice 1",
      "6:7: a text with a quote in it stands in quotes as a whole"
    ),
    (
      "meter m\nname \"\\n\"\nrate\nprice 1",
      "6:7: a \\ in quotes stands before a \" or another \\ only"
    ),
    (
      "meter m\nname \"a\u{7}\"\nrate\nprice 1",
      "6:6: there is a control character in this text: remove it"
    ),
    (
      "meter m\nname ü \u{2028}\nrate\nprice 1",
      "6:8: \"\u{2028}\" is too much here: remove it, or put a text with spaces in quotes"
    ),
    (
      "meter m\nrate\nprice 1 per started 0.5",
      "7:21: packages that count when begun have a whole number, not 0.5"
    ),
    ("meter m\nrate\nprice 1 per 0", "7:13: the size of a package: 0 is not above zero"),
    (
      "meter m\nrate\ngradated\nup-to 10 1\nbeyond 2",
      "7:1: gradated is no word of a rate card: did you mean graduated?"
    ),
    (
      "meter m\nrate\nfoo 1\nprice 1",
      "7:1: foo is no word of a rate card: a line here begins with name, unit, billing-meter, rate, price, graduated, "
        + "volume, up-to, beyond, included, minimum, discount, group, meter"
    ),
  ])
  func `a problem is named with its place`(lines: String, expected: String) {
    #expect(problems(Self.head + lines) == [expected])
  }

  @Test func `a line that is not UTF-8 is named`() {
    let bytes = Array(Self.head.utf8) + [0x6D, 0xFF] + Array("\nmeter m\nrate\nprice 1".utf8)
    let error = #expect(throws: RateCardError.self) { try RateCard(parsing: bytes) }
    #expect(
      error?.description == "5:1: the line is not UTF-8: save the file with the encoding UTF-8")
  }

  @Test func `what is at a limit is taken and what is past it is named`() throws {
    func lines(_ count: Int, _ line: (Int) -> String) -> String {
      Self.head + (1...count).map(line).joined(separator: "\n")
    }
    let one = "\nmeter m\nrate\n"
    let limits: [(most: Int, text: (Int) -> String, problem: String)] = [
      (
        RateCardLimits.metersMax, { lines($0) { "meter m\($0)\nrate\nprice 1" } },
        "a card has at most 10000 meters"
      ),
      (
        RateCardLimits.groupsMax,
        { lines($0) { "group g\($0)\nowner o\($0)" } + one + "price 1" },
        "a card has at most 1000 groups"
      ),
      (
        RateCardLimits.groupMembersMax,
        {
          Self.head + "group g\n" + lines($0) { "owner o\($0)" }.dropFirst(Self.head.utf8.count)
            + one + "price 1"
        },
        "a group has at most 10000 lines for its members: use a tag"
      ),
      (
        RateCardLimits.ratesOfMeterMax,
        {
          Self.head + "meter m\n"
            + (1...$0).map { "rate in l\($0)\nprice 1" }.joined(separator: "\n")
        },
        "a meter has at most 1000 rates"
      ),
      (
        RateCardLimits.tiersMax,
        { count in
          Self.head + "meter m\nrate\ngraduated\n"
            + (1..<count).map { "up-to \($0) 1" }.joined(separator: "\n") + "\nbeyond 1"
        },
        "a rate has at most 100 tiers"
      ),
      (
        RateCardLimits.textBytesMax,
        { "\(Self.head)tax \(String(repeating: "x", count: $0))\(one)price 1" },
        "the note about tax must have 1 to 256 bytes"
      ),
      (
        RateCardLimits.nameBytesMax,
        { count in
          Self.head.replacing("card c", with: "card \(String(repeating: "x", count: count))")
            + one + "price 1"
        },
        "the name of the card must be 1 to 64 letters a-z, digits, - . _"
      ),
      (
        RateCardLimits.versionMax,
        { Self.head.replacing("version 1", with: "version \($0)") + one + "price 1" },
        "the version is a whole number from 1 to 999999"
      ),
      (
        EventLimits.meterBytesMax,
        { "\(Self.head)meter \(String(repeating: "m", count: $0))\nrate\nprice 1" },
        "the id of a meter has 1 to 128 bytes"
      ),
      (
        RateCardLimits.fileBytesMax,
        { count in
          let text = Self.head + one + "price 1\n#"
          return text + String(repeating: "x", count: count - text.utf8.count)
        },
        "the card has more than 4194304 bytes: divide it into several cards"
      ),
    ]
    for limit in limits {
      #expect(problems(limit.text(limit.most)).isEmpty, "\(limit.problem)")
      let past = problems(limit.text(limit.most + 1))
      #expect(past.contains { $0.hasSuffix(limit.problem) }, "\(limit.problem): \(past.prefix(3))")
    }
  }

  @Test func `at most so many problems are reported`() {
    let text = Self.head + String(repeating: "foo\n", count: RateCardLimits.problemsMax + 10)
    #expect(problems(text).count == RateCardLimits.problemsMax)
  }

  @Test func `the catalog speaks against unknown, unbillable and misnamed meters`() throws {
    let text =
      Self.head + """
        meter M1
          name "one"
          unit Bytes
          rate
            price 1
        meter m2
          rate
            price 1
        meter m3
          rate
            price 1
        """
    func meter(_ id: String, isBillable: Bool = true) -> Meter {
      Meter(
        id: id, name: "One", unit: "GB", category: "c", resourceProvider: "r", aggregation: .sum,
        isBillable: isBillable)
    }
    let catalog = try MeterCatalog([
      meter("m1"), meter("m2", isBillable: false), meter("m4"), meter("m5", isBillable: false),
    ])
    let error = #expect(throws: RateCardError.self) {
      try RateCard(parsing: Array(text.utf8), catalog: catalog)
    }
    #expect(
      error?.problems.map(\.description) == [
        "6:8: the catalog calls the meter \"One\"", "7:8: the catalog counts the meter in \"GB\"",
        "10:7: the catalog says that meter m2 is not billable: remove its rates, or change the catalog",
        "13:7: there is no meter m3 in the catalog: add it there, or correct the id",
      ])
    #expect(try card(text).unpriced(in: catalog).map(\.id) == ["m4"])
  }
}
