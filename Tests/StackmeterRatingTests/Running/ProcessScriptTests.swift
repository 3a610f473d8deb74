import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

/// The same scripts with the real processes, as what comes out of them in months of their time.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ProcessScriptTests {
  /// Shared costs are divided by the pure core only.
  static let pureOnly: Set<String> = ["everything.usage", "shared.usage"]

  @Test func `the scripts that the processes do not run are those with shared costs`() throws {
    for name in ScriptTests.names {
      let script = try ScriptTests.read("\(ScriptTests.folder)/\(name)")
      #expect(script.contains("\nshare ") == Self.pureOnly.contains(name), "\(name)")
    }
  }

  @Test(arguments: ScriptTests.names.filter { !pureOnly.contains($0) })
  func `the script is what the processes do`(name: String) async throws {
    let script = try ScriptTests.read("\(ScriptTests.folder)/\(name)")
    try await withTemporaryDirectory { directory in
      let cluster = try Cluster(
        directory: directory,
        overrides: ProcessRatingSystem.settings(directory, script: script))
      let system = try await ProcessRatingSystem(cluster, script: script)
      var runner = ScriptRunner(script, system)
      do { try await runner.run() } catch {
        for service in ["query", "aggregator", "collector"] { try await cluster.kill(service) }
        throw error
      }
      for service in ["query", "aggregator", "collector"] { try await cluster.kill(service) }
      #expect(runner.comparisons > 0)
    }
  }
}
