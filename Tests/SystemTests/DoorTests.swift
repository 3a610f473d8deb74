import CollectorClient
import GRPCCore
import Glibc
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// Bad input at every door of the real processes: a clear error and no crash.
@Suite(.serialized, .timeLimit(.minutes(3))) struct DoorTests {
  @Test func `garbage on any socket hurts nobody`() async throws {
    try await withCluster { cluster in
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      var random = try SeededRandom()
      let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
      let texts: [[UInt8]] = [
        [], [0], Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), Array(preface.prefix(10)),
        preface + [0xFF, 0xFF, 0xFF, 4, 0, 0, 0, 0, 0],
        preface + (0..<10_000).map { _ in UInt8.random(in: 0...255, using: &random) },
        (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) },
      ]
      for service in ["collector", "aggregator", "query"] {
        for text in texts { try RawConnection(cluster.settings.socketPath(service)).send(text) }
        try await cluster.serving(service)
        #expect(cluster.isRunning(service))
      }
    }
  }

  @Test func `sockets are for owner and group only, and a second service is refused`() async throws
  {
    try await withCluster { cluster in
      try cluster.start("query")
      try await cluster.serving("query")
      var status = stat()
      #expect(stat(cluster.settings.socketPath("query"), &status) == 0)
      #expect(status.st_mode & 0o777 == 0o660)
      #expect(stat(cluster.settings.runDirectory, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o750)
      let second = try await Cluster.run(
        "\(Cluster.programs)/stackmeter-query", [], environment: cluster.environmentOfServices(),
        outputPath: "\(cluster.directory)/second")
      #expect(second.status == .exited(1))
      #expect(second.output.contains("another process serves"))
      try await cluster.serving("query")
    }
  }

  @Test(
    arguments: [
      ("collector", "STACKMETER_METER_CATALOG", "/nowhere/meters.json", "/nowhere/meters.json"),
      ("collector", "STACKMETER_COLLECTOR_LATENESS_LIMIT_DAYS", "soon", "LATENESS_LIMIT_DAYS"),
      ("collector", "STACKMETER_STATE_DIRECTORY", "/proc/nowhere", "/proc/nowhere"),
      ("aggregator", "STACKMETER_METER_CATALOG", "/etc/hostname", "not valid JSON"),
      ("aggregator", "STACKMETER_STATE_DIRECTORY", "/proc/nowhere", "/proc/nowhere"),
      ("query", "STACKMETER_CONFIG", "/nowhere/stackmeter.json", "/nowhere/stackmeter.json"),
      ("query", "STACKMETER_STATE_DIRECTORY", "/proc/nowhere", "/proc/nowhere"),
      ("gateway", "STACKMETER_GATEWAY_API_KEYS", "/nowhere/keys.json", "/nowhere/keys.json"),
      ("gateway", "STACKMETER_GATEWAY_PORT", "70000", "GATEWAY_PORT"),
      ("agent", "STACKMETER_AGENT_MAPPING", "/nowhere/agent.json", "/nowhere/agent.json"),
    ])
  func `a wrong setting ends a program with a sentence that names it`(
    service: String, variable: String, value: String, expected: String
  ) async throws {
    try await withCluster(overrides: [:]) { cluster in
      var environment = cluster.environmentOfServices()
      environment[variable] = value
      let (status, output) = try await Cluster.run(
        "\(Cluster.programs)/stackmeter-\(service)", [], environment: environment,
        outputPath: "\(cluster.directory)/output")
      #expect(status == .exited(78), "\(output)")
      #expect(output.contains(expected), "\(output)")
    }
  }

  @Test func `a misspelled setting in the file is never silently the default`() async throws {
    try await withCluster { cluster in
      let path = "\(cluster.directory)/stackmeter.json"
      try Array(#"{"gateway": {"prot": 1}, "runDirectory": 5}"#.utf8).write(to: path)
      let (status, output) = try await Cluster.run(
        "\(Cluster.programs)/stackmeter-query", ["--config", path, "--check"],
        environment: ["PATH": "/usr/bin"], outputPath: "\(cluster.directory)/output")
      #expect(status == .exited(78))
      #expect(output.contains("gateway.prot: unknown setting"), "\(output)")
      #expect(output.contains("runDirectory: must be a string"), "\(output)")
    }
  }

  @Test func `too little free disk refuses reports, says so, and answers all else`() async throws {
    try await withCluster(
      overrides: ["STACKMETER_COLLECTOR_DISK_RESERVE_MEBIBYTES": "1048576"]
    ) { cluster in
      for service in ["collector", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "query")
      let now = SystemClock().now().advanced(by: .seconds(-120))
      await #expect {
        _ = try await cluster.call("collector") { channel in
          try await CollectorClient(channel).report([
            Reports.event("1", Quantity(7), subscription: "s", at: now)
          ])
        }
      } throws: { error in
        (error as? RPCError)?.code == .resourceExhausted
          && (error as? RPCError)?.message.contains("bytes free") == true
      }
      // Query may still be waiting for its next try to reach the collector.
      let isTold = try await eventually {
        let status = try await cluster.call("query") { try await QueryClient($0).status() }
        return status.problems.contains { $0.contains("events are refused") } ? true : nil
      }
      #expect(isTold)
    }
  }

  /// On a file system of its own that is as good as full, in a mount namespace of its own.
  @Test func `a disk that fills up while it writes loses nothing that was acknowledged`()
    async throws
  {
    try await withCluster { cluster in
      let state = cluster.settings.stateDirectory
      #expect(mkdir(state, 0o750) == 0)
      let inNamespace = getuid() == 0 ? "--mount" : "--mount --map-root-user"
      let script = """
        #!/bin/sh
        exec unshare \(inNamespace) sh -c 'mount -t tmpfs -o size=12m tmpfs "\(state)" &&
          exec "\(Cluster.programs)/stackmeter-collector"'
        """
      try Array(script.utf8).write(to: "\(cluster.directory)/full.sh")
      let log = "\(cluster.directory)/full.log"
      var environment = cluster.environmentOfServices()
      environment.merge(FaultRun.settings) { $1 }
      let running = Task {
        try await Cluster.run(
          "/bin/sh", ["\(cluster.directory)/full.sh"], environment: environment, outputPath: log)
      }
      try await cluster.serving("collector")
      let now = SystemClock().now().advanced(by: .seconds(-120))
      let seed = try SeededRandom().seed
      let acknowledged = try await cluster.call("collector") { channel in
        let collector = CollectorClient(channel)
        var acknowledged: [UsageEvent] = []
        var random = SeededRandom(seed: seed)
        // Far more than fits, also compressed: about 1000 bytes an event, each of them new.
        for batch in 0..<1000 {
          let events = (0..<200).map {
            var event = Reports.event("\(batch)-\($0)", Quantity(1), subscription: "s", at: now)
            event.series.resource.additionalInfo =
              (0..<80).map { _ in String(random.next(), radix: 36) }.joined()
            return event
          }
          do throws(RPCError) {
            let results = try await collector.report(events)
            let areAllTaken = results.allSatisfy(\.isSuccess)
            #expect(areAllTaken)
            acknowledged += events
          } catch {
            #expect(error.code == .resourceExhausted, "\(error)")
            #expect(error.message.contains("free some space"), "\(error)")
            break
          }
        }
        // The reserve is what lets it still answer, and remember every event that it acknowledged.
        let status = try await collector.status()
        #expect(status.nextPosition == UInt64(acknowledged.count) + 1)
        #expect(!status.refusing.isEmpty)
        return acknowledged
      }
      #expect(acknowledged.count > 1000)
      #expect(acknowledged.count < 200_000)
      running.cancel()
    }
  }
}
