package import ArgumentParser
internal import Glibc

/// The load generator, `stackmeter-bench`.
package struct BenchCommand: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "stackmeter-bench",
    abstract: "Loads real Stackmeter processes, checks every answer, and says how fast they were.",
    subcommands: [
      IngestCommand.self, AggregateCommand.self, QueryCommand.self, FreshnessCommand.self,
      RateCommand.self, BridgeCommand.self,
    ])

  package init() {}

  /// Runs what the arguments ask for and ends the process.
  package static func runProgram() async -> Never {
    // A peer that goes away is an error where it is written to.
    signal(SIGPIPE, SIG_IGN)
    await main()
    Glibc.exit(0)
  }

  /// Writes what `body` has measured, and why there is not more or nothing.
  static func show(
    json: Bool, _ body: @Sendable @escaping () async throws -> BenchReport
  ) async throws {
    do {
      let report = try await Interruption.guarding { try await body() }
      write(json ? report.json() : Array(report.text().utf8), to: STDOUT_FILENO)
      if let failure = report.failure { throw BenchFailure(failure) }
    } catch {
      write(Array("stackmeter-bench: \(error)\n".utf8), to: STDERR_FILENO)
      throw ExitCode(1)
    }
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      start += count
    }
  }
}
