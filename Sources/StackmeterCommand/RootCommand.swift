package import ArgumentParser
internal import Glibc

/// The command line, `stackmeter`.
package struct RootCommand: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "stackmeter",
    abstract: "Usage metering and chargeback for private clouds.",
    discussion: """
      The commands speak to the services over the Unix sockets of the run directory: whoever may use these \
      is an operator.
      """,
    subcommands: [
      UpCommand.self, UsageCommand.self, ExportCommand.self, ReportCommand.self, MetersCommand.self,
      QuarantineCommand.self, HeartbeatCommand.self, SourcesCommand.self, WindowsCommand.self,
      SubscriptionsCommand.self, RatesCommand.self,
      StatementsCommand.self, BudgetsCommand.self,
      ExplainCommand.self, VerifyCommand.self, RebuildCommand.self, RestateCommand.self,
      BridgeCommand.self, TokenCommand.self, AuditCommand.self, StatusCommand.self,
      DoctorCommand.self,
      BackupCommand.self, RestoreCommand.self,
    ])

  package init() {}

  /// Runs what the arguments ask for and ends the process.
  package static func runProgram() async -> Never {
    // A peer or a reader that goes away is an error where it is written to.
    signal(SIGPIPE, SIG_IGN)
    await main()
    Glibc.exit(0)
  }
}
