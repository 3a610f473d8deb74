import StackmeterCore
import StackmeterWire
import Testing

@testable import StackmeterCommand

struct QuarantineTextTests {
  private func entry(
    _ number: UInt64, id: String = "e", _ resolution: QuarantineResolution? = nil
  ) -> QuarantineEntry {
    QuarantineEntry(
      number: number, refusedTime: Instant(parsing: "2026-11-23T15:00:00Z")!,
      refusal: Refusal(.unknownMeter, field: "series.meter", "no meter \"disk\""),
      event: UsageEvent(
        id: id, source: "vm",
        series: Series(
          subscription: "s", meter: "disk",
          resource: Resource(uri: "/r", tags: #"{"a":"b"}"#, additionalInfo: "two\nlines")),
        usageStart: Instant(parsing: "2026-11-23T14:00:00Z")!,
        usageEnd: Instant(parsing: "2026-11-23T14:01:00Z")!, quantity: Quantity(3)),
      resolution: resolution)
  }

  @Test
  func `entries are a table, and a hint where there are more`() {
    let time = Instant(seconds: 9)
    let listing = QuarantineListing(
      entries: [
        entry(9), entry(10, QuarantineResolution(.redriven(position: 4), time: time)),
        entry(11, id: "\u{1B}[2J", QuarantineResolution(.discarded, time: time)),
      ], hasMore: true)
    #expect(
      listing.table(withState: true) == """
        NUMBER  REFUSED               REASON        SOURCE  SUBSCRIPTION  METER  EVENT  STATE
             9  2026-11-23T15:00:00Z  UnknownMeter  vm      s             disk   e      open
            10  2026-11-23T15:00:00Z  UnknownMeter  vm      s             disk   e      redriven, position 4
            11  2026-11-23T15:00:00Z  UnknownMeter  vm      s             disk   \u{FFFD}[2J   discarded
        there are more; list them with --after 11, or more with --limit

        """)
    let none = QuarantineListing(entries: [], hasMore: false)
    #expect(none.table(withState: false) == "nothing in quarantine is open\n")
    #expect(none.table(withState: true) == "nothing is in quarantine\n")
  }

  @Test
  func `an entry is shown with everything that was reported`() throws {
    let text = QuarantineText(entry(9)).text()
    for line in [
      "entry         9", "state         open", "reason        UnknownMeter",
      "message       no meter \"disk\"", "quantity      3", "tag           a = b",
      "info          two\u{FFFD}lines", "from          2026-11-23T14:00:00Z",
    ] {
      #expect(text.contains(line + "\n"), "\(text)")
    }
    let json = QuarantineText(entry(9)).json()
    let object = try #require(JSONObject(try JSONValue(parsing: json, limits: .event), path: ""))
    #expect(object["state"] == .string("open") && object["number"] == .number("9"))
  }

  @Test
  func `what became of entries is counted, and what was not done is said`() {
    var outcome = QuarantineOutcome(.discarded)
    #expect(outcome.summary() == "0 discarded\n" && !outcome.hasFailed)
    let refusal = Refusal(.tooOld, field: "usage_start", "is \u{7}old")
    let results: [QuarantineResult] = [
      QuarantineResult(number: 1, state: .resolved(.discarded)),
      QuarantineResult(number: 2, state: .resolved(.redriven(position: 4))),
      QuarantineResult(number: 3, state: .absent),
      QuarantineResult(number: 4, state: .open, refusal: refusal),
    ]
    #expect(
      results.map { outcome.line($0) } == [
        nil, "2: was redriven before; it stays so\n",
        "3: there is no such entry, or none any more\n",
        "4: TooOld: usage_start is \u{FFFD}old\n",
      ])
    for result in results { outcome.count(result) }
    #expect(
      outcome.summary() == "1 discarded, 1 refused again, 1 closed before, 1 not there\n")
    #expect(outcome.hasFailed)
    var redriven = QuarantineOutcome(.redriven)
    redriven.count(results[1])
    #expect(redriven.summary() == "1 redriven\n" && !redriven.hasFailed)
  }
}
