internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterWire
internal import Testing

@testable import StackmeterCommand

struct RenderingTests {
  private func quantity(_ text: String) throws -> Quantity { try Quantity(parsing: text) }

  private func summary(
    byDay: Bool = false, _ totals: [UsageTotal]
  ) throws -> UsageSummary {
    UsageSummary(
      period: try UsagePeriod(from: "2026-11-23", to: nil, now: noon), byDay: byDay,
      bySubscription: true, totals: totals,
      meters: MeterNames([
        Meter(
          id: "CPU", name: "Core time", unit: "Core-Seconds", category: "Compute",
          resourceProvider: "agent", aggregation: .sum, isBillable: true)
      ]))
  }

  private let noon = Instant(parsing: "2026-11-23T12:34:56Z")!

  private func totals() throws -> [UsageTotal] {
    [
      UsageTotal(
        day: nil, subscription: "alice", meter: "cpu", quantity: try quantity("1234.5"),
        isProvisional: false),
      UsageTotal(
        day: nil, subscription: "=bob", meter: "gone",
        quantity: try quantity("0.000186920166015625"), isProvisional: true),
    ]
  }

  @Test
  func `a table shows every digit, at the decimal point, and marks what may grow`() throws {
    #expect(
      try summary(totals()).table(digits: nil) == """
        usage of 2026-11-23 (UTC)
        SUBSCRIPTION  METER                      QUANTITY  UNIT
        alice         Core time  1234.5                    Core-Seconds
        =bob          gone          0.000186920166015625*
        * provisional: part of it was reported in the open window

        """)
  }

  @Test
  func `a rounded table says so`() throws {
    #expect(
      try summary(totals()).table(digits: 3) == """
        usage of 2026-11-23 (UTC)
        SUBSCRIPTION  METER      ≈ QUANTITY  UNIT
        alice         Core time   1234.500   Core-Seconds
        =bob          gone           0.000*
        * provisional: part of it was reported in the open window

        """)
  }

  @Test
  func `CSV is exact, and no text in it is a formula`() throws {
    #expect(
      String(decoding: try summary(totals()).csv(), as: UTF8.self)
        == [
          "subscription,meter,meterName,quantity,unit,provisional,final",
          "alice,cpu,Core time,1234.5,Core-Seconds,false,false",
          "'=bob,gone,gone,0.000186920166015625,,true,false", "",
        ].joined(separator: "\r\n"))
  }

  @Test
  func `JSON is exact`() throws {
    #expect(
      String(decoding: try summary(totals()).json(), as: UTF8.self)
        == #"{"from":"2026-11-23T00:00:00Z","to":"2026-11-24T00:00:00Z","totals":["#
        + #"{"subscription":"alice","subscriptionName":"","#
        + #""meter":"cpu","meterName":"Core time","quantity":"1234.5","#
        + #""unit":"Core-Seconds","provisional":false,"final":false},"#
        + #"{"subscription":"=bob","subscriptionName":"","meter":"gone","#
        + #""meterName":"gone","quantity":"0.000186920166015625","unit":"","provisional":true,"final":false}]}"#
        + "\n")
  }

  @Test
  func `no usage is said in words`() throws {
    #expect(try summary([]).table(digits: nil) == "no usage of 2026-11-23 (UTC)\n")
  }

  @Test(arguments: [
    ("plain", "plain"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("a\nb", "\"a\nb\""),
    ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("=a,b", "\"'=a,b\""),
  ])
  func `CSV quotes what needs it`(_ text: String, _ expected: String) {
    var writer = CSVWriter()
    writer.row([.text(text), .literal("-1.5")])
    #expect(String(decoding: writer.bytes, as: UTF8.self) == expected + ",-1.5\r\n")
  }

  @Test(arguments: [
    ("0.5", 0, "1"), ("-0.5", 0, "-1"), ("0.4999", 0, "0"), ("-0.4999", 0, "0"),
    ("1.005", 2, "1.01"), ("-1.005", 2, "-1.01"), ("1.00499", 2, "1.00"), ("9.999", 2, "10.00"),
    ("2", 3, "2.000"), ("0.000000000000000001", 18, "0.000000000000000001"),
    ("9223372036854775807.999999999999999999", 2, "9223372036854775808.00"),
  ])
  func `figures are rounded half away from zero`(
    _ text: String, _ digits: Int, _ expected: String
  ) throws {
    #expect(try quantity(text).rounded(digits: digits) == expected)
  }

  @Test
  func `a terminal obeys no name`() {
    var table = Table([.init("NAME")])
    table.append(["\u{1B}[2Jevil\r\n\u{202E}x"])
    #expect(table.lines() == ["NAME", "\u{FFFD}[2Jevil\u{FFFD}\u{FFFD}\u{FFFD}x"])
  }

  @Test
  func `periods are whole hours in UTC`() throws {
    let today = try UsagePeriod(from: nil, to: nil, now: noon)
    #expect(today.title == "2026-11-23")
    let days = try UsagePeriod(from: "2026-11-01", to: "2026-11-03", now: noon)
    #expect(days.title == "2026-11-01 to 2026-11-02")
    #expect(days.hours.upperBound.index - days.hours.lowerBound.index == 48)
    let hours = try UsagePeriod(
      from: "2026-11-23T10:00:00+01:00", to: "2026-11-23T11:00:00Z", now: noon)
    #expect(hours.title == "2026-11-23T09:00:00Z to 2026-11-23T11:00:00Z")
    #expect(throws: CommandFailure.self) {
      _ = try UsagePeriod(from: "2026-11-23T10:30:00Z", to: nil, now: noon)
    }
    #expect(throws: CommandFailure.self) {
      _ = try UsagePeriod(from: "2026-11-24", to: nil, now: noon)
    }
  }

  @Test
  func `a listing has a row for each aggregate`() throws {
    let aggregate = UsageAggregate(
      series: Series(
        subscription: "alice", meter: "cpu",
        resource: Resource(uri: "/subscriptions/alice/vm1", tags: #"{"env":"prod"}"#)),
      usageStart: noon.hour.start, usageEnd: noon.hour.end, quantity: try quantity("-2.5"),
      window: noon.hour, isProvisional: false)
    let names = MeterNames([])
    var csv = UsageListing(format: .csv, digits: nil, meters: names)
    #expect(
      String(decoding: csv.page([aggregate]), as: UTF8.self)
        == "2026-11-23T12:00:00Z,2026-11-23T13:00:00Z,alice,cpu,cpu,-2.5,,/subscriptions/alice/vm1,,"
        + "\"{\"\"env\"\":\"\"prod\"\"}\",,2026-11-23T12:00:00Z,false,false,\r\n")
    var json = UsageListing(format: .json, digits: nil, meters: names)
    let line = try JSONValue(parsing: json.page([aggregate]), limits: .event)
    #expect(JSONObject(line, path: "")?["quantity"] == .string("-2.5"))
    var table = UsageListing(format: .table, digits: nil, meters: names)
    #expect(table.page([aggregate]).isEmpty)
    let text = String(
      decoding: table.tail(try UsagePeriod(from: nil, to: nil, now: noon)), as: UTF8.self)
    #expect(text.split(separator: "\n").count == 3)
    #expect(text.contains("-2.5"))
  }

  @Test
  func `a status says what is wrong and how far behind it is`() {
    var status = PipelineStatus()
    status.appliedPosition = 90
    status.collector = CollectorStatus()
    status.collector?.nextPosition = 100
    status.collector?.parkedCorrections = 3
    status.problems = ["the aggregator does not answer"]
    let text = PipelineText(status).text()
    #expect(text.contains("lag          10 events\n"))
    #expect(text.contains("aggregator   does not answer\n"))
    #expect(text.contains("parked       3 corrections wait for their events\n"))
    let json = String(decoding: PipelineText(status).json(), as: UTF8.self)
    #expect(json.contains(#""parkedCorrections":3"#))
    #expect(text.contains("PROBLEM      the aggregator does not answer\n"))
    #expect(
      ServiceChecks.pipeline(status).map(\.level) == [.fail, .ok])
  }
}
