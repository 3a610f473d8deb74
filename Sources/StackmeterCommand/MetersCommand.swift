internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore

/// `stackmeter meters`.
struct MetersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "meters", abstract: "Show the meter catalog.")

  @OptionGroup var options: SettingsOptions
  @Flag(help: "As a JSON array.")
  var json = false

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let meters = try await withService("query", of: settings) { channel in
        try await QueryClient(channel).listMeters()
      }
      StandardStream.output.write(bytes: json ? Self.json(meters) : Array(Self.table(meters).utf8))
    }
  }

  static func table(_ meters: [Meter]) -> String {
    guard !meters.isEmpty else { return "the meter catalog is empty\n" }
    var table = Table([
      .init("METER"), .init("NAME"), .init("UNIT"), .init("CATEGORY"), .init("RESOURCE PROVIDER"),
      .init("BILLABLE"),
    ])
    for meter in meters {
      table.append([
        meter.id, meter.name, meter.unit, meter.category, meter.resourceProvider,
        meter.isBillable ? "yes" : "no",
      ])
    }
    return table.lines().joined(separator: "\n") + "\n"
  }

  static func json(_ meters: [Meter]) -> [UInt8] {
    var writer = JSONWriter()
    writer.array { writer in for meter in meters { writer.meter(meter) } }
    return writer.bytes + [UInt8(ascii: "\n")]
  }
}
