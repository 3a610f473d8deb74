internal import ArgumentParser
internal import GatewayServer
internal import StackmeterRuntime

/// `stackmeter audit`.
struct AuditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Look after the log of what operators read and changed.",
    subcommands: [Verify.self])

  /// `stackmeter audit verify`.
  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "verify",
      abstract: "Name every line that was changed, moved or taken away; exits with 1 if one was.")

    @OptionGroup var options: SettingsOptions
    @Option(help: "The log's directory; that of the settings by default.")
    var directory: String?

    func run() async throws {
      try await reportingFailure {
        let directory = try self.directory ?? options.settings().auditDirectory
        let found = try AuditVerification(directory: directory)
        for problem in found.problems { StandardStream.output.write(problem + "\n") }
        guard found.problems.isEmpty else {
          throw CommandFailure(
            "\(directory): \(found.problems.count) problems in \(found.lineCount) lines",
            exitCode: 1)
        }
        StandardStream.output.write("\(found.lineCount) lines, all as they were written\n")
      }
    }
  }
}
