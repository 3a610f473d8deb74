internal import ArgumentParser
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `stackmeter windows`.
struct WindowsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "windows", abstract: "Show the reporting windows, newest first.")

  @OptionGroup var options: SettingsOptions
  @Option(
    help: ArgumentHelp("How many, up to \(ListWindowsRequest.pageSizeMax).", valueName: "count"))
  var last = ListWindowsRequest.pageSizeDefault
  @Flag(help: "As a JSON array.")
  var json = false

  func validate() throws {
    guard (1...ListWindowsRequest.pageSizeMax).contains(last) else {
      throw ValidationError("--last: must be from 1 to \(ListWindowsRequest.pageSizeMax)")
    }
  }

  func run() async throws {
    try await reportingFailure {
      let settings = try options.settings()
      let page = try await withService("query", of: settings) { channel in
        try await QueryClient(channel).listWindows(
          ListWindowsRequest(caller: .operator, pageSize: UInt32(last)))
      }
      StandardStream.output.write(bytes: json ? Self.json(page) : Array(Self.table(page).utf8))
    }
  }

  static func table(_ page: ListWindowsResponse) -> String {
    guard !page.windows.isEmpty else { return "there is no reporting window yet\n" }
    var table = Table([
      .init("WINDOW"), .init("STATE"), .init("USAGE"), .init("AGGREGATES"),
      .init("BEHIND WHEN IT CLOSED"),
    ])
    for window in page.windows {
      table.append([
        window.hour.description, window.isClosed ? "closed" : "open",
        window.isFinal ? "final" : "estimated", "\(window.aggregates)",
        window.missingAtClose.description,
      ])
      // A line for each cell where there are several.
      guard window.cells.count > 1 else { continue }
      for cell in window.cells {
        table.append([
          "  " + terminalText(cell.cell), cell.isClosed ? "closed" : "open", "",
          "\(cell.aggregates)", cell.missingAtClose.description,
        ])
      }
    }
    var lines = table.lines()
    if let note = estimatedNote(page.missing) { lines.append(note) }
    return lines.joined(separator: "\n") + "\n"
  }

  static func json(_ page: ListWindowsResponse) -> [UInt8] {
    var writer = JSONWriter()
    writer.array { writer in
      for window in page.windows {
        writer.object { writer in
          writer.member("window", string: window.hour.description)
          writer.member("closed", window.isClosed)
          writer.member("final", window.isFinal)
          writer.member("aggregates", window.aggregates)
          writer.member(
            "missingAtClose",
            array: { writer in for name in window.missingAtClose.names { writer.string(name) } })
          writer.member("othersMissingAtClose", window.missingAtClose.others)
          guard !window.cells.isEmpty else { return }
          writer.member(
            "cells",
            array: { writer in
              for cell in window.cells {
                writer.object { writer in
                  writer.member("cell", string: cell.cell)
                  writer.member("closed", cell.isClosed)
                  writer.member("aggregates", cell.aggregates)
                }
              }
            })
        }
      }
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }
}

/// What usage still waits for, below a table; nil where it waits for no source.
func estimatedNote(_ missing: MissingSources) -> String? {
  missing.isEmpty ? nil : "estimated: waits for \(missing.description)"
}
