internal import ArgumentParser

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
    try await BenchCommand.show(json: options.json) { [options] in
      try await IngestRun(options).report()
    }
  }
}
