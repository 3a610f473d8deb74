internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `stackmeter sources`.
struct SourcesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sources",
    abstract: "Show the sources that usage is expected of, and how far they are.")

  @OptionGroup var options: SettingsOptions
  @Flag(help: "As a JSON array.")
  var json = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let sources = try await withService("query", of: settings) { channel in
        try await QueryClient(channel).listSources()
      }
      StandardStream.output.write(
        bytes: json ? Self.json(sources) : Array(Self.table(sources).utf8))
    }
  }

  static func table(_ sources: [SourceProgress]) -> String {
    guard !sources.isEmpty else {
      return "no source is declared: usage is final as soon as its window is closed\n"
    }
    var table = Table([
      .init("SOURCE"), .init("EVERY"), .init("COMPLETE UNTIL"), .init("LAST HEARD"),
      .init("OVERDUE"),
    ])
    for source in sources {
      table.append([
        source.name, durationText(Int64(source.cadenceSeconds)), source.completeUntil.description,
        source.heardTime.description,
        source.overdueSeconds == 0 ? "" : "by \(durationText(source.overdueSeconds))",
      ])
    }
    return table.lines().joined(separator: "\n") + "\n"
  }

  static func json(_ sources: [SourceProgress]) -> [UInt8] {
    var writer = JSONWriter()
    writer.array { writer in
      for source in sources {
        writer.object { writer in
          writer.member("source", string: source.name)
          writer.member("cadenceSeconds", UInt64(source.cadenceSeconds))
          writer.member("completeUntil", string: source.completeUntil.description)
          writer.member("heardTime", string: source.heardTime.description)
          writer.member("overdueSeconds", UInt64(clamping: source.overdueSeconds))
        }
      }
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }
}
