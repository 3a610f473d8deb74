import Testing

@testable import StackmeterRating

@Suite struct CardChangeTests {
  @Test func `what a version does differently is said in words`() throws {
    let old = try card(fullCard)
    let new = try card(
      fullCard.replacing("version 3", with: "version 4")
        .replacing("rounding half-even", with: "")
        .replacing("price 0.008", with: "price 0.009")
        .replacing("cost-center \"1000 A\"", with: "cost-center 2000")
        .replacing("discount 20%", with: "discount 25%")
        .replacing("up-to 10000000 0.003", with: "up-to 10000000 0.0031")
        .replacing("rate in east", with: "rate in north")
        .replacing("meter transactions", with: "meter new-one\nrate\nprice 1\nmeter transactions"))
    #expect(
      old.changes(to: new) == [
        "rounding: was half-even, becomes half-away-from-zero",
        "group internal: was discount 20%, commitment 1000.00 discount 15%, becomes discount 25%, "
          + "commitment 1000.00 discount 15%",
        "group internal: cost-center 1000 A is no member any more",
        "group internal: cost-center 2000 becomes a member",
        "meter compute-hours \"Base VM Size Hours\": was 0.008, becomes 0.009 (+12.5 %)",
        "meter new-one: is new at 1",
        "meter transactions in east: this rate is removed (volume per started 100: up to 1000 at 2, beyond at 1.5; "
          + "first 100 free before the tiers)",
        "meter transactions: was graduated per 10000: up to 1000000 at 0.0036, up to 10000000 at 0.003, beyond at "
          + "0.0025; first 50000 free, becomes graduated per 10000: up to 1000000 at 0.0036, up to 10000000 at 0.0031, "
          + "beyond at 0.0025; first 50000 free",
        "meter transactions in north: is new at volume per started 100: up to 1000 at 2, beyond at 1.5; first 100 free "
          + "before the tiers",
      ])
    #expect(new.changes(to: old).contains("meter new-one: is not priced any more"))
    #expect(
      new.changes(to: old).contains(
        "meter compute-hours \"Base VM Size Hours\": was 0.009, becomes 0.008 (-11.1 %)"))
  }

  @Test func `groups that change places are named, since the first counts`() throws {
    let first = "group a\nowner x\n"
    let second = "group b\ncost-center x\n"
    let meter = "meter m\nrate\nprice 1\n"
    let old = try smallCard(first + second + meter)
    let new = try smallCard(second + first + meter)
    #expect(
      old.changes(to: new) == [
        "groups: their order is another; the first that a subscription is in counts"
      ])
    #expect(
      old.changes(to: try smallCard(first + meter)) == ["group b: is removed (no discount)"])
    #expect(try smallCard(first + meter).changes(to: old) == ["group b: is new (no discount)"])
  }

  @Test func `what is for reading and what other services see are compared`() throws {
    let old = try smallCard("meter m\nname one\nunit GB\nrate\nprice 1\n")
    let new = try smallCard("meter M\nname two\nbilling-meter x\nrate\nprice 1\n")
    #expect(
      old.changes(to: new) == [
        "meter M \"two\": its name was \"one\", becomes \"two\"",
        "meter M \"two\": its unit was \"GB\", becomes nothing",
        "meter M \"two\": its billing-meter was \"m\", becomes \"x\"",
      ])
  }
}
