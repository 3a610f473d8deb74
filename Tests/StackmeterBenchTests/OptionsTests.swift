import ArgumentParser
import Testing

@testable import StackmeterBench

@Suite struct OptionsTests {
  @Test(arguments: [
    ("5000", 5000), ("200k", 200_000), ("10M", 10_000_000), ("0", nil), ("", nil), ("M", nil),
    ("1.5M", nil), ("-3", nil), ("99999999999999999M", nil),
  ])
  func `a number of events may have a unit`(text: String, count: UInt64?) {
    #expect(EventCount(argument: text)?.count == count)
  }

  @Test(arguments: [("5", 5), ("5%", 5), ("0%", 0), ("100", nil), ("-1", nil), ("%", nil)])
  func `a percentage may have its sign`(text: String, value: Int?) {
    #expect(Percent(argument: text)?.value == value)
  }

  @Test func `sizes of growth go up`() {
    #expect(GrowthSizes(argument: "1M,10M,100M")?.counts == [1_000_000, 10_000_000, 100_000_000])
    for wrong in ["", "1M,", "10M,1M", "1M,1M", "1M,x"] {
      #expect(GrowthSizes(argument: wrong) == nil, "\(wrong)")
    }
  }

  @Test(arguments: [
    ["--batch", "16385"], ["--hours", "141"], ["--mode", "single", "--growth", "1M"],
    ["--mode", "raw", "--postgres"], ["--in-flight", "0"],
  ])
  func `what cannot be run is refused`(arguments: [String]) {
    #expect(throws: (any Error).self) { try IngestOptions.parse(arguments) }
  }

  @Test func `each mode has numbers of its own`() throws {
    let stream = try IngestOptions.parse([])
    #expect(stream.batchEvents == 16_384 && stream.reporters == 1 && stream.reporterInFlight == 8)
    let single = try IngestOptions.parse(["--mode", "single"])
    #expect(single.batchEvents == 1 && single.reporters == 64 && single.reporterInFlight == 1)
    let gateway = try IngestOptions.parse(["--mode", "gateway"])
    #expect(gateway.batchEvents == 1000 && gateway.reporters == 8)
  }
}
