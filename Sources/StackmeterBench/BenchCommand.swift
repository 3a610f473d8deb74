package import ArgumentParser
internal import Glibc

/// The load generator, `stackmeter-bench`.
package struct BenchCommand: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "stackmeter-bench",
    abstract: "Loads real Stackmeter processes, checks every answer, and says how fast they were.",
    subcommands: [IngestCommand.self])

  package init() {}

  /// Runs what the arguments ask for and ends the process.
  package static func runProgram() async -> Never {
    // A peer that goes away is an error where it is written to.
    signal(SIGPIPE, SIG_IGN)
    await main()
    Glibc.exit(0)
  }
}
