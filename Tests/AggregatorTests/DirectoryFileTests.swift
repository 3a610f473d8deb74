import Foundation
import Logging
import StackmeterCore
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer

@Suite struct DirectoryFileTests {
  private func write(_ text: String, _ path: String) throws {
    try Data(text.utf8).write(to: URL(filePath: path))
  }

  private func names(_ path: String) throws -> [String] {
    try SQLiteUsageReader(path: path).subscriptions(ids: nil, after: "", limit: 9).map(\.id)
  }

  @Test func `the last good directory stays in force until the file is good again`() async throws {
    try await withTemporaryDirectory { directory in
      let (database, path) = ("\(directory)/usage.sqlite", "\(directory)/subscriptions.json")
      func aggregator() throws -> Aggregator {
        try Aggregator(
          store: SQLiteUsageStore(path: database), catalog: try MeterCatalog([]),
          logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      }
      let first = try aggregator()
      var file = DirectoryFile(path: path)
      await first.take(file.look())
      #expect(first.status().warnings.isEmpty)
      try write(#"{"subscriptions":[{"id":"a"},{"id":"b"}]}"#, path)
      await first.take(file.look())
      #expect(try names(database) == ["a", "b"] && first.status().warnings.isEmpty)
      try write(#"{"subscriptions":[{"id":"a","state":"gone"},{"id":""}]}"#, path)
      await first.take(file.look())
      let warnings = first.status().warnings
      #expect(warnings.count == 1 && warnings[0].contains("subscriptions[0].state: must be one of"))
      #expect(warnings[0].contains("subscriptions[1].id: ") && warnings[0].contains(path))
      #expect(try names(database) == ["a", "b"])
      // What the scrub finds stands beside it, and goes without it.
      first.note(damage: ["a row"])
      #expect(first.status().warnings == warnings && first.status().faults == ["a row"])
      first.note(damage: [])
      #expect(first.status().warnings == warnings && first.status().faults.isEmpty)
      // A new process has the directory from the database, and says the same about the file.
      let second = try aggregator()
      var again = DirectoryFile(path: path)
      await second.take(again.look())
      #expect(second.status().warnings == warnings)
      #expect(try names(database) == ["a", "b"])
      try write(#"{"subscriptions":[{"id":"c"}]}"#, path)
      await second.take(again.look())
      #expect(try names(database) == ["c"] && second.status().warnings.isEmpty)
      // A file that goes away is a problem where there was one.
      try FileManager.default.removeItem(atPath: path)
      await second.take(again.look())
      #expect(second.status().warnings.count == 1)
      #expect(try names(database) == ["c"])
    }
  }
}
