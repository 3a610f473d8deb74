internal import ArgumentParser
internal import Glibc
internal import StackmeterCore
internal import StackmeterRuntime

/// `stackmeter-bench ingest`.
struct IngestCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ingest",
    abstract: "Load a collector, which is started for it with data of its own.",
    discussion: """
      Every answer is checked: exits with 1 where one is not the expected one. Build with -c release; \
      the programs are those beside this one.
      """)

  enum Mode: String, ExpressibleByArgument, CaseIterable {
    case stream, single, gateway, raw
  }

  @OptionGroup var options: IngestOptions

  func run() async throws {
    do {
      let run = IngestRun(options)
      let report = try await Interruption.guarding { try await run.report() }
      let bytes = options.json ? report.json() : Array(report.text().utf8)
      writeAll(bytes, to: STDOUT_FILENO)
    } catch {
      writeAll(Array("stackmeter-bench: \(error)\n".utf8), to: STDERR_FILENO)
      throw ExitCode(1)
    }
  }

  private func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      start += count
    }
  }
}
