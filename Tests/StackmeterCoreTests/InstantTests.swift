import Foundation
import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct InstantTests {
  @Test(arguments: [
    (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
    (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
    (1_709_164_800, "2024-02-29T00:00:00Z"), (1_795_446_000, "2026-11-23T15:00:00Z"),
    (9_214_646_399, "2261-12-31T23:59:59Z"),
  ])
  func `an instant is written and read by the calendar`(seconds: Int64, text: String) {
    #expect(Instant(seconds: seconds).description == text)
    #expect(Instant(parsing: text) == Instant(seconds: seconds))
  }

  @Test(arguments: [
    ("2026-11-23T15:04:05+00:00", 0), ("2026-11-23t15:04:05z", 0), ("2026-11-23 15:04:05Z", 0),
    ("2026-11-23T15:04:05-00:00", 0), ("2026-11-23T16:04:05+01:00", 0),
    ("2026-11-23T14:34:05-00:30", 0), ("2026-11-24T14:48:05+23:44", 0),
    ("2026-11-23T15:04:05.000000001Z", 1), ("2026-11-23T15:04:05.25Z", 250_000_000),
    ("2026-11-23T15:04:05.123456789000Z", 123_456_789),
    ("2026-11-23T15:04:05.0000000000000000000000000000000000000000000Z", 0),
  ])
  func `offsets and fractions of the second are read exactly`(text: String, nanoseconds: Int64) {
    let second = Instant(seconds: 1_795_446_245)
    #expect(Instant(parsing: text) == second.advanced(by: .nanoseconds(nanoseconds)))
  }

  @Test(arguments: [
    "", "2026-11-23", "2026-11-23T15:04:05", "2026-11-23T15:04Z", "2026-11-23T15:04:05.Z",
    "2026-11-23T24:00:00Z", "2026-11-23T15:60:00Z", "2026-11-23T15:04:60Z", "2016-12-31T23:59:60Z",
    "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z", "2026-04-31T00:00:00Z", "0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
    "2262-01-01T00:00:00Z", "1970-01-01T00:00:00+00:01", "2261-12-31T23:59:59-00:01",
    "2026-11-23T15:04:05.1234567891Z", "2026-11-23T15:04:05+1:00", "2026-11-23T15:04:05+01",
    "2026-11-23T15:04:05+0100", "2026-11-23T15:04:05+24:00", "2026-11-23T15:04:05+01:60",
    "2026-11-23T15:04:05ZZ", " 2026-11-23T15:04:05Z", "2026-11-23T15:04:05Z ", "20261123T150405Z",
    "2026-1-23T15:04:05Z", "٢٠٢٦-11-23T15:04:05Z", "+026-11-23T15:04:05Z", "2026-11-23T15:04:05,5Z",
  ])
  func `what is no time with an offset is refused`(text: String) {
    #expect(Instant(parsing: text) == nil)
  }

  @Test func `a time that goes on past 64 bytes is refused whatever follows`() {
    let text = "2026-11-23T15:04:05." + String(repeating: "0", count: 43) + "Z"
    #expect(text.utf8.count == 64)
    #expect(Instant(parsing: text) != nil)
    #expect(Instant(parsing: text + "Z") == nil)
    #expect(Instant(parsing: text + " and more") == nil)
    #expect(Instant(parsing: text.dropLast() + "0Z") == nil)
  }

  @Test func `the text of Azure has an offset and no fraction`() {
    let instant = Instant(seconds: 1_795_446_000).advanced(by: .milliseconds(5))
    #expect(instant.azureText == "2026-11-23T15:00:00+00:00")
    #expect(instant.description == "2026-11-23T15:00:00.005Z")
  }

  @Test func `an instant before 1970 lies in an hour and a day that begin before it`() {
    let instant = Instant(nanoseconds: -1)
    #expect(instant.hour == Hour(index: -1))
    #expect(instant.hour.day == Day(index: -1))
    #expect(instant.description == "1969-12-31T23:59:59.999999999Z")
    #expect(instant.hour.start <= instant && instant < instant.hour.end)
  }

  @Test func `the ends of 64 bits have a text`() {
    #expect(Instant(nanoseconds: .min).description == "1677-09-21T00:12:43.145224192Z")
    #expect(Instant(nanoseconds: .max).description == "2262-04-11T23:47:16.854775807Z")
  }

  @Test func `moving past the ends stays at the ends`() {
    #expect(Instant(nanoseconds: .max).advanced(by: .seconds(1)) == Instant(nanoseconds: .max))
    #expect(Instant(nanoseconds: .min).advanced(by: .seconds(-1)) == Instant(nanoseconds: .min))
    #expect(Instant(nanoseconds: 5).advanced(by: .nanoseconds(-7)) == Instant(nanoseconds: -2))
    #expect(Instant(nanoseconds: .max) - Instant(nanoseconds: .min) > .zero)
    #expect(Instant(seconds: 7) - Instant(seconds: 9) == .seconds(-2))
  }

  @Test func `hours and days meet without a gap`() {
    let hour = Instant(seconds: 1_795_446_000).hour
    #expect(hour.end == hour.next.start)
    #expect(hour.description == "2026-11-23T15:00:00Z")
    #expect(hour.digits == "2026112315")
    #expect(hour.day.end == hour.day.next.start)
    #expect(hour.day.description == "2026-11-23")
    #expect(hour.day.firstHour.start == hour.day.start)
    #expect(Instant(nanoseconds: hour.end.nanoseconds - 1).hour == hour)
    #expect(Hour(index: 23).day == Day(index: 0) && Hour(index: 24).day == Day(index: 1))
  }

  @Test(arguments: ["2026-11-2", "2026-11-233", "2026-02-29", "2026/11/23", "1969-12-31", ""])
  func `what is not a date is no day`(text: String) {
    #expect(Day(parsing: text) == nil)
  }

  @Test func `every date from 1970 to 2261 is read back and follows the one before`() throws {
    var day = Day(index: 0)
    var previous = ""
    while day.end <= Instant.accepted.upperBound {
      let text = day.description
      try #require(Day(parsing: text) == day)
      try #require(previous < text)
      let date = CivilDate(day)
      try #require(CivilDate(year: date.year, month: date.month, day: date.day)?.date == day)
      previous = text
      day = day.next
    }
    #expect(previous == "2261-12-31")
  }

  @Test func `any accepted instant is read back from its text and from any offset`() throws {
    try withSeededRandom { random in
      for _ in 0..<2000 {
        let range = Instant.accepted
        let instant = Instant(
          nanoseconds: .random(
            in: range.lowerBound.nanoseconds..<range.upperBound.nanoseconds, using: &random))
        try #require(Instant(parsing: instant.description) == instant)
        let whole = Instant(seconds: instant.nanoseconds / Instant.nanosecondsPerSecond)
        try #require(Instant(parsing: whole.azureText) == whole)
        let minutes = Int.random(in: -1439...1439, using: &random)
        let local = whole.advanced(by: .seconds(minutes * 60))
        guard Instant.accepted.contains(local) else { continue }
        let offset = String(
          format: "%@%02d:%02d", minutes < 0 ? "-" : "+", abs(minutes) / 60, abs(minutes) % 60)
        try #require(Instant(parsing: local.description.dropLast() + offset) == whole)
      }
    }
  }

  @Test func `any instant has the text that Foundation gives it`() throws {
    try withSeededRandom { random in
      for _ in 0..<500 {
        let seconds = Int64.random(in: -9_000_000_000...9_214_646_399, using: &random)
        let date = Date(timeIntervalSince1970: TimeInterval(seconds))
        try #require(Instant(seconds: seconds).description == date.ISO8601Format())
      }
    }
  }
}
