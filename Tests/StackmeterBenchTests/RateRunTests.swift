import ArgumentParser
import StackmeterRating
import StackmeterRuntime
import StackmeterTesting
import Testing

@testable import StackmeterBench

@Suite struct RateRunTests {
  @Test func `a small month is rated and its statements tie`() async throws {
    let options = try RateOptions.parse(["--aggregates", "2k", "--subscriptions", "20"])
    let report = try await RateRun(options).report()
    #expect(
      report.parts.map(\.name) == [
        "charges", "statements", "statements closed from a usage database",
        "charges of usage in no order",
      ])
    #expect(report.parts[2].figures.first { $0.name == "statements" }?.value == 20)
    #expect(report.parts[2].figures.first { $0.name == "aggregates" }?.value == 2000)
    let figures = report.parts.flatMap(\.figures)
    #expect(figures.first { $0.name == "aggregates" }?.value == 2000)
    #expect(figures.first { $0.name == "statements" }?.value == 20)
  }

  @Test func `what closed statements come to is asked of a real gateway`() async throws {
    try await withTemporaryDirectory { directory in
      let file = "\(directory)/focus.csv"
      let options = try RateOptions.parse([
        "--aggregates", "2k", "--subscriptions", "20", "--focus", "--keep-focus", file,
        "--catalog", "\(Cluster.root)/deploy/config/meters.json",
      ])
      let report = try await RateRun(options).report()
      let part = try #require(report.parts.first { $0.name == "FOCUS file" })
      let rows = part.figures.first { $0.name == "rows" }?.value ?? 0
      #expect(rows >= 2000)
      let text = String(decoding: try fileContent(file), as: UTF8.self)
      #expect(text.count { $0 == "\r\n" } == rows + 1)
      #expect(report.parts.contains { $0.name == "reconciliation" })
    }
  }

  @Test func `what a FOCUS file bills is summed up exactly, however it comes`() {
    let text =
      "AvailabilityZone,BilledCost,X\r\n,1.000000000000000000000000000000000001,a\r\n"
      + ",-0.5,b,c\r\n,0.499999999999999999999999999999999999,\r\n"
    var check = FocusCheck()
    for byte in text.utf8 { check.take([byte]) }
    #expect(check.rows == 3)
    #expect(check.billed?.description == "1")
    check.take(Array(",EUR 1,\r\n".utf8))
    #expect(check.billed == nil)
  }

  @Test(arguments: [
    ["--subscriptions", "0"], ["--subscriptions", "1000001"],
    ["--aggregates", "999", "--subscriptions", "100"], ["--aggregates", "101M"],
    ["--focus", "--focus-version", "1.1"], ["--keep-focus", "focus.csv"],
  ])
  func `what cannot be rated is refused`(arguments: [String]) {
    #expect(throws: (any Error).self) { try RateOptions.parse(arguments) }
  }
}
