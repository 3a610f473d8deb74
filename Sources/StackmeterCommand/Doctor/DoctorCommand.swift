internal import ArgumentParser
internal import StackmeterRuntime

/// `stackmeter doctor`.
struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Check everything and say what to do.",
    discussion: "Exits with 1 where a line says FAIL.")

  @OptionGroup var options: SettingsOptions

  func run() async throws {
    try await reportingFailure {
      let output = StandardStream.output
      var findings: [Finding] = []
      do {
        let settings = try options.settings()
        findings.append(.ok("settings", options.config ?? "from the environment, or the defaults"))
        findings += FileChecks(settings: settings).findings()
        output.write(findings.map { $0.text + "\n" }.joined())
        let answers = await ServiceChecks(settings: settings).findings()
        output.write(answers.map { $0.text + "\n" }.joined())
        findings += answers
      } catch let error as SettingsError {
        findings += error.problems.map { .fail("settings", $0, advice: "correct it") }
        output.write(findings.map { $0.text + "\n" }.joined())
      }
      if findings.contains(where: { $0.level == .fail }) { throw ExitCode(1) }
    }
  }
}
