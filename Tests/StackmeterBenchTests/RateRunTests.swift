import ArgumentParser
import Testing

@testable import StackmeterBench

@Suite struct RateRunTests {
  @Test func `a small month is rated and its statements tie`() throws {
    let options = try RateOptions.parse(["--aggregates", "2k", "--subscriptions", "20"])
    let report = try RateRun(options).report()
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

  @Test(arguments: [
    ["--subscriptions", "0"], ["--subscriptions", "1000001"],
    ["--aggregates", "999", "--subscriptions", "100"], ["--aggregates", "101M"],
  ])
  func `what cannot be rated is refused`(arguments: [String]) {
    #expect(throws: (any Error).self) { try RateOptions.parse(arguments) }
  }
}
