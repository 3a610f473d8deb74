internal import GRPCCore
internal import Glibc
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterRuntime
internal import StackmeterWire

/// The checks of `stackmeter doctor` that ask the services.
struct ServiceChecks {
  /// Events that may wait between the journal and the usage database before it is worth a word.
  static let lagEventsMax: UInt64 = 100_000

  let settings: Settings

  func findings() async -> [Finding] {
    var findings: [Finding] = []
    for service in ["collector", "aggregator", "query", "bridge"] {
      findings.append(await socket(service))
    }
    findings.append(await gateway())
    let status = try? await withRPCChannel(socketPath: settings.socketPath("query")) { channel in
      try await QueryClient(channel).status()
    }
    findings.append(Self.clock(SystemClock().now(), collector: status?.collector))
    if let status { findings += Self.pipeline(status) }
    return findings
  }

  func socket(_ service: String) async -> Finding {
    let path = settings.socketPath(service)
    guard path.utf8.count <= ListeningSocket.pathBytesMax else {
      return .fail(
        service, "\(path) is longer than \(ListeningSocket.pathBytesMax) bytes",
        advice: "choose a shorter run directory")
    }
    var status = stat()
    guard stat(path, &status) == 0 else {
      return .fail(
        service, "\(path): \(String(cString: strerror(errno)))",
        advice: "start everything with stackmeter up, then see \(log(service))")
    }
    guard status.st_mode & 0o007 == 0 else {
      return .fail(service, "every user of this host may use \(path)", advice: "chmod 0660 \(path)")
    }
    let isServing = try? await withRPCChannel(socketPath: path) { channel in
      await HealthClient(channel).isServing()
    }
    guard isServing == true else {
      return .fail(
        service, "does not answer at \(path)", advice: "see the last lines of \(log(service))")
    }
    return .ok(service, "serves at \(path)")
  }

  func gateway() async -> Finding {
    let place = "http://\(settings.gatewayHost):\(settings.gatewayPort)"
    guard settings.gatewayPort != 0 else {
      return .warn(
        "gateway", "has a port that nobody else knows",
        advice: "set gateway.port, so that clients find it; its log has the port of this time")
    }
    guard await HTTPProbe(host: settings.gatewayHost, port: settings.gatewayPort).isServing()
    else {
      return .fail(
        "gateway", "does not answer at \(place)/healthz",
        advice: "see the last lines of \(log("gateway")); is the port taken by another program?")
    }
    return .ok("gateway", "serves at \(place)")
  }

  /// A clock that was set back is no danger to the order of events, but usage seems to be in the future then.
  static func clock(_ now: Instant, collector: CollectorStatus?) -> Finding {
    let first = Instant(parsing: "2025-01-01T00:00:00Z")!
    guard now >= first, now < Instant.accepted.upperBound else {
      return .fail(
        "clock", "it is \(now) here", advice: "set the clock; systemd-timesyncd or chrony keep it")
    }
    if let last = collector?.lastReportedTime, last > now.advanced(by: .seconds(5)) {
      return .warn(
        "clock", "it is \(now) here, and the journal is at \(last) already",
        advice: "the clock was set back; reported times stand until it has caught up")
    }
    return .ok("clock", "it is \(now)")
  }

  static func pipeline(_ status: PipelineStatus) -> [Finding] {
    var findings = status.problems.map { problem in
      Finding.fail("pipeline", problem, advice: "stackmeter status has the figures")
    }
    if let lag = PipelineText(status).lagEvents {
      findings.append(
        lag <= lagEventsMax
          ? .ok("pipeline", "\(lag) events between the journal and the usage database")
          : .warn(
            "pipeline", "\(lag) events between the journal and the usage database",
            advice: "nothing is lost; see the aggregator's log if this does not shrink"))
    }
    return findings
  }

  private func log(_ service: String) -> String {
    "\(Supervisor.logDirectory(settings))/\(service).log"
  }
}
