import Glibc
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import Testing

/// `stackmeter up` with the real services below it.
@Suite(.serialized, .timeLimit(.minutes(3))) struct UpTests {
  @Test func `up starts everything, restarts what is killed, and stops it all in order`()
    async throws
  {
    try await withUp { cluster, up in
      let first = try pid(of: "collector", cluster)
      #expect(Glibc.kill(first, SIGKILL) == 0)
      let second = try await eventually {
        let found = try pid(of: "collector", cluster)
        return found == first ? nil : found
      }
      #expect(second != first)
      try await cluster.serving("collector")
      up.signal(SIGTERM)
      #expect(try await up.waitForExit() == .exited(0))
      for service in Cluster.services {
        #expect(cluster.stateLog(service).contains(#""message":"stopped""#), "\(service)")
      }
    }
  }

  @Test func `no service outlives a supervisor that is killed`() async throws {
    try await withUp { cluster, up in
      let services = try ["collector", "aggregator", "query", "bridge", "gateway", "agent"].map {
        try pid(of: $0, cluster)
      }
      up.signal(SIGKILL)
      _ = try await up.waitForExit()
      _ = try await eventually {
        services.allSatisfy { Glibc.kill($0, 0) != 0 || isZombie($0) } ? true : nil
      }
    }
  }

  /// Lends a running `stackmeter up` whose services all serve.
  private func withUp(_ body: (Cluster, ChildProcess) async throws -> Void) async throws {
    try await withCluster { cluster in
      let made = try await cluster.command("token", "create", "--role", "operator")
      try #require(made.status == .exited(0), "\(made.output)")
      let mapping = open("\(cluster.directory)/agent.json", O_WRONLY | O_CREAT, 0o600)
      try #require(write(mapping, "{}", 2) == 2)
      close(mapping)
      let log = open("\(cluster.directory)/up.log", O_WRONLY | O_CREAT, 0o600)
      defer { close(log) }
      let up = try ChildProcess(
        "\(Cluster.programs)/stackmeter", ["up"], environment: cluster.environmentOfServices(),
        standardOutput: .descriptor(log), standardError: .descriptor(log))
      try await cluster.serving("collector", "aggregator", "query")
      _ = try await eventually {
        let lines = String(
          decoding: try fileContent("\(cluster.directory)/up.log"), as: UTF8.self)
        return ["gateway serving", "agent serving"].allSatisfy(lines.contains) ? true : nil
      }
      try await body(cluster, up)
      // Whatever the test has left of it goes with the supervisor's end.
      up.signal(SIGKILL)
    }
  }

  /// The process that the supervisor last said it started for a service.
  private func pid(of service: String, _ cluster: Cluster) throws -> pid_t {
    let lines = String(decoding: try fileContent("\(cluster.directory)/up.log"), as: UTF8.self)
      .split(separator: "\n").filter { $0.hasPrefix("\(service) ") && $0.contains(" pid ") }
    let words = try #require(lines.last).split(separator: " ")
    return try #require(words.last.flatMap { pid_t($0) })
  }

  private func isZombie(_ pid: pid_t) -> Bool {
    guard let status = try? fileContent("/proc/\(pid)/stat") else { return true }
    return String(decoding: status, as: UTF8.self).contains(") Z ")
  }
}

extension Cluster {
  /// What a supervised service logged.
  fileprivate func stateLog(_ service: String) -> String {
    let path = "\(settings.stateDirectory)/log/\(service).log"
    return (try? fileContent(path)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
