import BridgeClient
import Glibc
import QueryClient
import StackmeterCommerce
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// Sites that report into a hub, all of real processes on this host: what the sites have of closed windows is what the
/// hub counts.
@Suite(.serialized, .timeLimit(.minutes(3))) struct SiteAndHubTests {
  private static let retries = [
    "STACKMETER_BRIDGE_RETRY_MILLISECONDS_MIN": "5",
    "STACKMETER_BRIDGE_RETRY_MILLISECONDS_MAX": "50", "STACKMETER_BRIDGE_POLL_MILLISECONDS": "20",
  ]
  private static let windows = 12

  /// Windows of the day before yesterday, with late usage that is below zero in the last ones.
  private func rows(_ site: Int) -> [ClosedUsage.Row] {
    let first = Hour(index: SystemClock().now().hour.index - 48)
    return (0..<Self.windows).flatMap { number in
      (0..<40).map { index in
        let window = Hour(index: first.index + Int64(number))
        let isLate = number >= 9 && index % 10 == 0
        return ClosedUsage.Row(
          window: window,
          series: Series(
            subscription: "tenant-\(index % 3)", meter: Reports.meter,
            resource: Resource(uri: "/vm/\(index)", tags: #"{"site":"\#(site)"}"#)),
          usageHour: isLate ? Hour(index: window.index - 6) : window,
          quantity: Quantity(
            attos: isLate ? -5 : Int128(site) * 1_000_000_000_000_000_001 + Int128(index))!)
      }
    }
  }

  private func token(_ hub: Cluster, of site: String) async throws -> String {
    let made = try await hub.command(
      "token", "create", "--role", "reporter", "--source", site)
    try #require(made.status == .exited(0), "\(made.output)")
    let words = made.output.split { $0 == " " || $0 == "\n" }
    return String(try #require(words.first { $0.hasPrefix("sm_") }))
  }

  /// Starts a site over closed windows, and registers it with the hub.
  private func start(
    _ cluster: Cluster, _ site: String, _ rows: [ClosedUsage.Row], hub: Cluster, token: String
  ) async throws {
    try #require(mkdir(cluster.settings.stateDirectory, 0o750) == 0)
    try ClosedUsage(path: cluster.settings.usageDatabase).write(
      rows, open: Hour(index: rows.last!.window.index + 1))
    for service in ["query", "bridge"] { try cluster.start(service) }
    try await cluster.serving("query", "bridge")
    let document =
      #"{"site":"\#(site)","model":"payAsYouUse","key":"\#(token)","customers":{"TENANT-1":"contoso-\#(site)"},"#
      + #""endpoint":"http://127.0.0.1:\#(hub.settings.gatewayPort)/v1/commerce/usage","#
      + #""from":"\#(rows[0].window)"}"#
    let path = "\(cluster.directory)/registration.json"
    let file = open(path, O_WRONLY | O_CREAT, 0o600)
    try #require(write(file, document, document.utf8.count) == document.utf8.count)
    close(file)
    let told = try await cluster.command("bridge", "register", path)
    try #require(told.status == .exited(0), "\(told.output)")
    let kept = try #require(
      status(ofFile: "\(cluster.settings.bridgeDirectory)/registration.json"))
    #expect(kept.st_mode & 0o777 == 0o600)
  }

  private func status(ofFile path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }

  private func settled(_ cluster: Cluster, records: Int) async throws -> BridgeStatus {
    try await eventually {
      let status = try? await cluster.call("bridge") { try await BridgeClient($0).status() }
      guard let status, status.acknowledged + status.refused >= UInt64(records) else { return nil }
      return status
    }
  }

  private func totals(_ hub: Cluster) async throws -> [String: Quantity] {
    let now = SystemClock().now().hour
    let totals = try await hub.call("query") { channel in
      try await QueryClient(channel).summarize(
        SummarizeRequest(
          caller: .operator, hours: Hour(index: now.index - 100)..<now, bySubscription: true))
    }
    return Dictionary(uniqueKeysWithValues: totals.map { ($0.subscription ?? "", $0.quantity) })
  }

  @Test func `what sites have of closed windows is what the hub counts, whatever is killed`()
    async throws
  {
    try await withCluster { hub in
      let tokens = [try await token(hub, of: "stamp-1"), try await token(hub, of: "stamp-2")]
      for service in Cluster.services { try hub.start(service) }
      try await hub.serving("collector", "aggregator", "query")
      try await withCluster(overrides: Self.retries) { first in
        try await withCluster(overrides: Self.retries) { second in
          let sites = [(first, "stamp-1", rows(1)), (second, "stamp-2", rows(2))]
          var expected: [String: Quantity] = [:]
          for (index, (cluster, site, rows)) in sites.enumerated() {
            try await start(cluster, site, rows, hub: hub, token: tokens[index])
            for row in rows {
              let local = row.series.subscription
              let customer = local == "tenant-1" ? "contoso-\(site)" : local
              expected[customer] = (expected[customer] ?? .zero).adding(row.quantity)!
            }
            try await hub.kill("gateway")
            try await cluster.kill("bridge")
            try hub.start("gateway")
            try cluster.start("bridge")
          }
          for (cluster, _, rows) in sites {
            let status = try await settled(cluster, records: rows.count)
            #expect(status.acknowledged == UInt64(rows.count) && status.refused == 0)
          }
          let wanted = expected
          _ = try await eventually { try await totals(hub) == wanted ? true : nil }
          // Everything once more: duplicates.
          let again = try await first.command(
            "bridge", "resend", "--from", rows(1)[0].window.description, "--to",
            rows(1).last!.window.next.description)
          #expect(again.status == .exited(0) && again.output.contains("12 windows"))
          _ = try await eventually {
            let status = try? await first.call("bridge") { try await BridgeClient($0).status() }
            return status?.pending == 0 && status?.acknowledged == UInt64(rows(1).count)
              ? true : nil
          }
          #expect(try await totals(hub) == wanted)
          // The change is in the site's audit log.
          let audit = try await first.command("audit", "verify")
          #expect(audit.status == .exited(0), "\(audit.output)")
        }
      }
    }
  }

  @Test func `another record under a known id is a conflict, and a foreign site is refused`()
    async throws
  {
    try await withCluster { hub in
      let key = try await token(hub, of: "stamp-1")
      for service in Cluster.services { try hub.start(service) }
      try await hub.serving("collector", "aggregator", "query")
      let hour = Hour(index: SystemClock().now().hour.index - 3)
      func post(_ quantity: String, site: String = "stamp-1") async throws -> String {
        let body =
          #"{"batch":"b1-1","site":"\#(site)","model":"payAsYouUse","records":[{"id":"r1-1","subscription":"s","#
          + #""meter":"\#(Reports.meter)","resourceUri":"/vm","usageStart":"\#(hour)","#
          + #""usageEnd":"\#(hour.next)","window":"\#(hour)","quantity":"\#(quantity)"}]}"#
        return try await eventually {
          let told = try await Cluster.run(
            "/usr/bin/curl",
            [
              "-sS", "-m", "20", "-w", " %{http_code}", "-H", "Authorization: Bearer \(key)", "-H",
              "Content-Type: application/json", "--data-binary", body,
              "http://127.0.0.1:\(hub.settings.gatewayPort)/v1/commerce/usage",
            ], environment: ["PATH": "/usr/bin"], outputPath: "\(hub.directory)/answer")
          return told.status == .exited(0) && !told.output.hasSuffix(" 503") ? told.output : nil
        }
      }
      #expect(
        try await post("1.5")
          == #"{"batch":"b1-1","accepted":1,"duplicates":0,"refused":[]} 200"#)
      #expect(
        try await post("1.50")
          == #"{"batch":"b1-1","accepted":0,"duplicates":1,"refused":[]} 200"#)
      let conflict = try await post("1.6")
      #expect(conflict.hasSuffix(" 409") && conflict.contains(#""code":"Conflict""#), "\(conflict)")
      let foreign = try await post("1.5", site: "stamp-2")
      #expect(foreign.hasSuffix(" 403"), "\(foreign)")
    }
  }
}
