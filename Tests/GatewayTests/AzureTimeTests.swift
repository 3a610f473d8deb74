import StackmeterCore
import Testing

@testable import GatewayServer

@Suite struct AzureTimeTests {
  @Test(arguments: [
    ("2019-12-10T18:00:00.000Z", "2019-12-10T18:00:00Z"),
    ("2019-12-10T19:00:00.0000000+00:00", "2019-12-10T19:00:00Z"),
    ("2015-05-01T00:00:00.0000000", "2015-05-01T00:00:00Z"),
    ("2017-06-10T00:00:00", "2017-06-10T00:00:00Z"),
    ("2021-01-12T00:00:00.00Z", "2021-01-12T00:00:00Z"),
    ("2018-03-01T00:00:00+00:00Z", "2018-03-01T00:00:00Z"),
    ("2015-03-01 00:00:00Z", "2015-03-01T00:00:00Z"),
    ("2015-03-01T01:00:00 00:00", "2015-03-01T01:00:00Z"),
    ("2015-03-01 01:00:00 01:00", "2015-03-01T00:00:00Z"),
    ("2015-03-01T01:00:00-02:00", "2015-03-01T03:00:00Z"),
    ("2015-03-01T01:00", "2015-03-01T01:00:00Z"),
    ("2017-11-29", "2017-11-29T00:00:00Z"),
    ("2017-12-1", "2017-12-01T00:00:00Z"),
    ("12/31/2017", "2017-12-31T00:00:00Z"),
    ("1/2/2018", "2018-01-02T00:00:00Z"),
  ])
  func `every spelling that clients send is read`(text: String, expected: String) {
    #expect(Instant(azure: text)?.description == expected)
  }

  @Test(arguments: [
    "", "20181001T00:00:00Z", "2018-13-01", "2018-02-30", "31/12/2017", "2018-01-01T24:00:00Z",
    "2018-01-01T00:60:00Z", "2018-01-01T00:00:60Z", "2018-01-01T", "2018-01-01T00:00:00+01:00Z",
    "2018-01-01T00:00:00.Z", "2018-01-01T00:00:00.0000000001Z", "2018-01-01T00:00:00ZZ",
    "1969-12-31", "2262-01-01", "9999-12-31", "yesterday", "-2018-01-01", "2018-01-01T00:00:00+1",
  ])
  func `what is no time is refused`(text: String) {
    #expect(Instant(azure: text) == nil)
  }

  @Test func `nothing is cut off: a text of more than 64 bytes is refused`() {
    func padded(_ count: Int) -> String { "2018-01-01" + String(repeating: " ", count: count) }
    #expect(Instant(azure: padded(54)) != nil)
    #expect(Instant(azure: padded(55)) == nil)
    #expect(Instant(azure: padded(54) + "garbage") == nil)
  }
}
