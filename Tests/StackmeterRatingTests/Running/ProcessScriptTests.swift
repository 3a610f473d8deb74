import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

/// The same scripts with the real processes, as what comes out of them in months of their time.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ProcessScriptTests {
  @Test(arguments: ScriptTests.names)
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
