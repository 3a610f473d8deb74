import Foundation
import Glibc
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Testing

/// `stackmeter export --follow` with the real programs over closed windows.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ExportFollowSystemTests {
  @Test func `the files of all windows are the export of all windows, however it is killed`()
    async throws
  {
    try await withCluster { cluster in
      let first = Hour(index: SystemClock().now().hour.index - 60)
      var rows: [ClosedUsage.Row] = []
      for number in 0..<30 where number % 4 != 3 {
        let window = Hour(index: first.index + Int64(number))
        for index in 0..<25 {
          let series = Series(
            subscription: "s\(index % 3)", meter: Reports.meter,
            resource: Resource(uri: "/vm/\(index)"))
          rows.append(
            ClosedUsage.Row(
              window: window, series: series, usageHour: window,
              quantity: Quantity(Int32(index * 100 + number))))
        }
      }
      try #require(mkdir(cluster.settings.stateDirectory, 0o750) == 0)
      try ClosedUsage(path: cluster.settings.usageDatabase).write(
        rows, open: Hour(index: first.index + 30))
      try cluster.start("query")
      try await cluster.serving("query")
      let directory = "\(cluster.directory)/usage"
      try #require(mkdir(directory, 0o750) == 0)
      let arguments = ["export", "--follow", directory, "--once", "--format", "ndjson"]
      // Killed a few times on its way, at whatever it does then.
      for milliseconds in [30, 60, 90, 120] {
        let process = try ChildProcess(
          "\(Cluster.programs)/stackmeter", arguments,
          environment: cluster.environmentOfServices())
        try await Task.sleep(for: .milliseconds(milliseconds))
        process.signal(SIGKILL)
        _ = try await process.waitForExit()
      }
      let told = try await cluster.command(arguments)
      #expect(told.status == .exited(0), "\(told.output)")
      #expect(
        told.output.contains("the next window: \(Hour(index: first.index + 30))"), "\(told.output)")
      let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        .filter { $0.hasPrefix("usage-") }.sorted()
      #expect(names.count == 23 && names.allSatisfy { $0.hasSuffix(".ndjson") }, "\(names)")
      let parts = try names.flatMap { try fileContent("\(directory)/\($0)") }
      let whole = "\(cluster.directory)/whole.ndjson"
      let exported = try await cluster.command("export", whole, "--format", "ndjson")
      #expect(exported.status == .exited(0), "\(exported.output)")
      #expect(try fileContent(whole) == parts)
      // Nothing has closed meanwhile.
      let again = try await cluster.command(arguments)
      #expect(again.status == .exited(0))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: directory)
          .filter { $0.hasPrefix("usage-") }.count == names.count)
    }
  }
}
