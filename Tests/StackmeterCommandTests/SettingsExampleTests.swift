internal import StackmeterRuntime
internal import Testing

struct SettingsExampleTests {
  /// `deploy/config` of this checkout.
  private func example(_ name: String) throws -> [UInt8] {
    let parts = #filePath.split(separator: "/").dropLast(3)
    return try fileContent("/" + parts.joined(separator: "/") + "/deploy/config/" + name)
  }

  @Test
  func `the example has every setting at its default`() throws {
    let defaults = try Settings(SettingsReader(environment: [:], file: nil))
    let example = try Settings(
      SettingsReader(environment: [:], file: example("stackmeter.json")))
    #expect(example == defaults)
  }

  @Test(arguments: [(0, true), (7, false), (1, false), (8, true)])
  func `the journal is kept for ever or at least a day longer than usage may be late`(
    days: Int, isTaken: Bool
  ) throws {
    let reader = SettingsReader(
      environment: ["STACKMETER_COLLECTOR_JOURNAL_RETENTION_DAYS": "\(days)"], file: nil)
    if isTaken {
      #expect(try Settings(reader).journalRetentionDays == days)
      return
    }
    let error = #expect(throws: SettingsError.self) { try Settings(reader) }
    #expect(error?.description.contains("collector.journalRetentionDays: must be 0") == true)
  }
}
