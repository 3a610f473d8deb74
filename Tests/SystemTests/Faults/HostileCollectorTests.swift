import CollectorClient
import GRPCCore
import Glibc
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// Peers of the real collector that are not what they should be, while good ones are served all the time.
@Suite(.serialized, .timeLimit(.minutes(10))) struct HostileCollectorTests {
  /// What the collector may occupy, whatever its peers do: its queue, its calls in flight, and itself.
  private static let residentBytesMax = 1 << 30

  @Test func `no peer keeps another from being served, or fills the memory`() async throws {
    try await Self.withBusyCollector { cluster, good in
      let path = cluster.settings.socketPath("collector")
      var kept: [HeldConnection] = []
      for (name, bytes) in RawHTTP2.behaviours {
        // Once to go on as if nothing were wrong, once to hang up with the answer on its way.
        let connection = try HeldConnection(path)
        await blocking { connection.send(bytes) }
        kept.append(connection)
        let leaving = try HeldConnection(path)
        await blocking { leaving.send(bytes) }
        try await good.more(3)
        #expect(cluster.isRunning("collector"), "\(name): \(cluster.log("collector"))")
      }
      say(
        "\(RawHTTP2.behaviours.count) kinds of peers: \(good.answered) good reports meanwhile, "
          + "\(try cluster.residentBytes("collector") >> 20) MiB resident")
      #expect(try cluster.residentBytes("collector") < Self.residentBytesMax)
    }
  }

  @Test func `a peer of a byte a moment and a thousand connections hold up no one`() async throws {
    try await Self.withBusyCollector { cluster, good in
      let path = cluster.settings.socketPath("collector")
      let slow = try HeldConnection(path)
      let bytes = RawHTTP2.start + RawHTTP2.call(RawHTTP2.report, RawHTTP2.message([]))
      var kept: [HeldConnection] = []
      for index in 0..<1000 {
        if index < bytes.count { slow.send([bytes[index]]) }
        let connection = try await blocking { Result { try HeldConnection(path) } }.get()
        // Some speak, some stay.
        if index.isMultiple(of: 5) { connection.send(RawHTTP2.start) }
        if index.isMultiple(of: 2) { kept.append(connection) }
      }
      try await good.more(5)
      #expect(try cluster.residentBytes("collector") < Self.residentBytesMax)
      #expect(kept.count == 500)
    }
  }

  @Test func `a reader that never reads holds up no one, and fills no memory`() async throws {
    try await Self.withBusyCollector { cluster, good in
      let path = cluster.settings.socketPath("collector")
      let follow = ReadJournalRequest(fromPosition: 1, follow: true).packed()
      var kept: [HeldConnection] = []
      for _ in 0..<20 {
        let connection = try HeldConnection(path)
        connection.send(
          RawHTTP2.start + RawHTTP2.frame(.window, RawHTTP2.number(1 << 30))
            + RawHTTP2.call(RawHTTP2.readJournal, RawHTTP2.message(follow)))
        kept.append(connection)
      }
      // Much more than a socket holds.
      try await good.more(60, textBytes: 8000)
      #expect(try cluster.residentBytes("collector") < Self.residentBytesMax)
      #expect(kept.count == 20)
    }
  }

  @Test func `a collector without descriptors serves whom it has, and others later`() async throws {
    try await withCluster { cluster in
      let path = cluster.settings.socketPath("collector")
      let limited = try ChildProcess(
        "/bin/sh",
        ["-c", "ulimit -n 64; exec \(Cluster.programs)/stackmeter-collector"],
        environment: cluster.environmentOfServices())
      _ = try await eventually { try? HeldConnection(path) }
      let good = GoodReporter()
      try await withRPCChannel(socketPath: path) { channel in
        try await good.report(CollectorClient(channel))
        do {
          // The kernel accepts what the collector does not yet.
          let connections = try (0..<120).map { _ in try HeldConnection(path) }
          for connection in connections { connection.send(RawHTTP2.start) }
          for _ in 0..<10 { try await good.report(CollectorClient(channel)) }
          #expect(limited.exitStatus == nil)
        }
        try await good.report(CollectorClient(channel))
      }
      _ = try await eventually {
        try? await withRPCChannel(socketPath: path) {
          try await good.report(CollectorClient($0))
          return true
        }
      }
      limited.signal(SIGTERM)
      #expect(try await limited.waitForExit() == .exited(0))
    }
  }

  /// Lends a collector that a good reporter calls all the time, and checks at the end that it stops well.
  private static func withBusyCollector(
    _ body: @escaping @Sendable (Cluster, GoodReporter) async throws -> Void
  ) async throws {
    try await withCluster { cluster in
      try HeldConnection.allowMany()
      try cluster.start("collector")
      try #require(try await cluster.collectorServes())
      let good = GoodReporter()
      try await cluster.call("collector") { channel in
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            while good.goesOn { try await good.report(CollectorClient(channel)) }
          }
          defer { good.stop() }
          try await body(cluster, good)
          good.stop()
          try await group.waitForAll()
        }
      }
      #expect(try await cluster.stop("collector") == .exited(0), "\(cluster.log("collector"))")
    }
  }
}
