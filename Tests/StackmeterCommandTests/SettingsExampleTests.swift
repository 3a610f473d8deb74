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
}
