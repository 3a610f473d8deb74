import CollectorClient
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import Testing

/// What one sync covers, counted at the system calls of the real process.
@Suite(.serialized, .timeLimit(.minutes(5))) struct GroupCommitTests {
  @Test func `sixty four callers of single events share their syncs`() async throws {
    let (callers, callsOfEach) = (64, 20)
    try await withCluster { cluster in
      let library = try await FaultLibrary(
        in: cluster.directory, watching: cluster.settings.stateDirectory)
      // A disk as slow as many are: on one that takes no time, there is nothing to share.
      try cluster.start(
        "collector",
        environment: library.environment().merging(["FAULT_SYNC_DELAY": "40000"]) { $1 })
      try #require(try await cluster.collectorServes())
      let syncsBefore = try library.count(.sync)
      let start = SystemClock().now().advanced(by: .seconds(-600))
      try await cluster.call("collector") { channel in
        let collector = CollectorClient(channel)
        try await withThrowingTaskGroup(of: Void.self) { group in
          for caller in 0..<callers {
            group.addTask {
              for call in 0..<callsOfEach {
                let results = try await collector.report([
                  Reports.event("\(caller)-\(call)", Quantity(1), subscription: "s", at: start)
                ])
                try #require(results.count == 1 && results[0].isSuccess)
              }
            }
          }
          try await group.waitForAll()
        }
      }
      let syncs = try library.count(.sync) - syncsBefore
      let reports = callers * callsOfEach
      say("\(reports) reports of \(callers) callers: \(syncs) syncs")
      #expect(syncs > 0 && syncs * 8 <= reports)
    }
  }
}
