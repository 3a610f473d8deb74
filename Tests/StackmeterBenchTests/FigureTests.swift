import StackmeterCore
import Testing

@testable import StackmeterBench

@Suite struct FigureTests {
  @Test(arguments: [
    (0, 0, "0", "0"), (7, 3, "0.007", "0.007"), (1_234_567, 3, "1234.567", "1,234.567"),
    (-5, 1, "-0.5", "-0.5"), (-123_456, 0, "-123456", "-123,456"), (1_000, 3, "1.000", "1.000"),
  ])
  func `a figure is written with all of its digits`(
    value: Int, digits: Int, number: String, grouped: String
  ) {
    let figure = Figure("name", value, digits: digits, "s")
    #expect(figure.number == number)
    #expect(figure.grouped == grouped)
  }

  @Test func `a rate and a ratio are exact to their last digit`() {
    #expect(perSecond(3_000_000, .milliseconds(1500)) == 2_000_000)
    #expect(perSecond(1, .zero) == 0)
    #expect(Figure.ratio("r", 2, of: 3, digits: 2, "x").number == "0.66")
    #expect(Figure.ratio("r", 2, of: 0, digits: 2, "x").number == "0.00")
    #expect(Figure.cpu("c", .seconds(3), 2_000_000).number == "1.500")
  }

  @Test func `a report is a table for people and an object for programs`() {
    var report = BenchReport()
    report.append(
      "stream", [Figure("events", 1_000_000, "events"), Figure("a", 15, digits: 1, "s")])
    report.append("ratio", [Figure("times", 205, digits: 1, "times")])
    #expect(
      report.text() == """
        stream
          events  1,000,000 events
          a             1.5 s

        ratio
          times        20.5 times

        """)
    #expect(
      String(decoding: report.json(), as: UTF8.self)
        == #"{"stream":{"events":{"value":1000000,"unit":"events"},"a":{"value":1.5,"unit":"s"}},"#
        + #""ratio":{"times":{"value":20.5,"unit":"times"}}}"# + "\n")
  }
}
