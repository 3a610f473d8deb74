import StackmeterRuntime
import Testing

/// The limits of every setting that is a number.
@Suite struct SettingsLimitTests {
  private static let limits: [(name: String, variable: String, range: ClosedRange<Int>)] = [
    ("collector.latenessLimitDays", "COLLECTOR_LATENESS_LIMIT_DAYS", 1...366),
    ("collector.diskReserveMebibytes", "COLLECTOR_DISK_RESERVE_MEBIBYTES", 1...1_048_576),
    ("collector.quarantineMebibytesMax", "COLLECTOR_QUARANTINE_MEBIBYTES_MAX", 1...1_048_576),
    ("collector.dedupMebibytesMax", "COLLECTOR_DEDUP_MEBIBYTES_MAX", 1...1_048_576),
    ("collector.journalRetentionDays", "COLLECTOR_JOURNAL_RETENTION_DAYS", 0...36_600),
    ("collector.journalSegmentMebibytes", "COLLECTOR_JOURNAL_SEGMENT_MEBIBYTES", 1...1024),
    ("aggregator.usageRetentionMonths", "AGGREGATOR_USAGE_RETENTION_MONTHS", 0...1200),
    ("aggregator.auditIntervalSeconds", "AGGREGATOR_AUDIT_INTERVAL_SECONDS", 0...86_400),
    ("gateway.port", "GATEWAY_PORT", 0...65_535),
  ]

  private func problems(_ variable: String, _ value: String) -> [String] {
    do throws(SettingsError) {
      _ = try Settings(
        SettingsReader(environment: ["STACKMETER_\(variable)": value], file: nil))
      return []
    } catch {
      return error.problems
    }
  }

  @Test(arguments: limits)
  func `a number is taken up to its limits, and refused past them with the limits`(
    name: String, variable: String, range: ClosedRange<Int>
  ) {
    #expect(problems(variable, "\(range.lowerBound)") == [])
    #expect(problems(variable, "\(range.upperBound)") == [])
    let sentence =
      "STACKMETER_\(variable): must be a whole number from \(range.lowerBound) to \(range.upperBound)"
    for value in [
      "\(range.lowerBound - 1)", "\(range.upperBound + 1)", "", "1.5", "1e3", "many",
      "99999999999999999999",
    ] {
      #expect(problems(variable, value) == [sentence], "\(value)")
    }
  }

  @Test(arguments: limits)
  func `in the file a text is no number`(
    name: String, variable: String, range: ClosedRange<Int>
  ) {
    let parts = name.split(separator: ".")
    let file = #"{"\#(parts[0])": {"\#(parts[1])": "\#(range.upperBound)"}}"#
    let error = #expect(throws: SettingsError.self) {
      try Settings(
        SettingsReader(environment: [:], file: Array(file.utf8), fileName: "stackmeter.json"))
    }
    #expect(error?.problems.count == 1)
    #expect(error?.problems.first?.contains("\(name): must be a whole number") == true)
  }

  @Test func `the name of a cell has an end`() {
    #expect(problems("CELL", String(repeating: "c", count: 64)) == [])
    #expect(problems("CELL", String(repeating: "c", count: 65)).count == 1)
  }
}
