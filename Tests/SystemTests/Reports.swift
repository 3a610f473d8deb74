import CollectorClient
import GRPCCore
import Glibc
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire

/// What these tests report, and how they ask for it.
enum Reports {
  static let meter = "agent-cpu-core-seconds"

  static func event(
    _ id: String, _ quantity: Quantity, subscription: String, at start: Instant
  ) -> UsageEvent {
    UsageEvent(
      id: id, source: "system-test",
      series: Series(
        subscription: subscription, meter: meter,
        resource: Resource(uri: "/subscriptions/\(subscription)/resource")),
      usageStart: start, usageEnd: start.advanced(by: .seconds(60)), quantity: quantity)
  }

  /// Reports until the collector has answered, however often it is killed meanwhile: what providers do.
  static func reportBlindly(
    _ events: [UsageEvent], to collector: CollectorClient
  ) async throws -> [EventResult] {
    try await eventually {
      do throws(RPCError) {
        return try await collector.report(events)
      } catch {
        // What a connection that breaks under a call looks like; anything else is a failure of the test.
        let isUnknown = [
          RPCError.Code.unavailable, .deadlineExceeded, .cancelled, .unknown, .internalError,
        ].contains(error.code)
        guard isUnknown else { throw error }
        return nil
      }
    }
  }

  /// The total of each subscription over the last days.
  static func totals(_ cluster: Cluster) async throws -> [String: Quantity] {
    try await withRPCChannel(socketPath: cluster.settings.socketPath("query")) { channel in
      let now = SystemClock().now().hour
      let totals = try await QueryClient(channel).summarize(
        SummarizeRequest(
          caller: .operator, hours: Hour(index: now.index - 200)..<Hour(index: now.index + 2),
          bySubscription: true, meters: [meter]))
      return Dictionary(uniqueKeysWithValues: totals.map { ($0.subscription ?? "", $0.quantity) })
    }
  }

  /// Waits until query serves what the collector has, and gives the totals.
  static func settledTotals(
    _ cluster: Cluster, position: UInt64
  ) async throws -> [String: Quantity] {
    try await eventually {
      let applied = try? await withRPCChannel(
        socketPath: cluster.settings.socketPath("query")
      ) { channel in try await QueryClient(channel).status().appliedPosition }
      guard let applied, applied >= position else { return nil }
      return try? await totals(cluster)
    }
  }
}

extension Cluster {
  /// A new operator's token.
  func operatorToken() async throws -> String {
    let made = try await command("token", "create", "--role", "operator")
    guard made.status == .exited(0), let token = made.output.split(separator: "\n").last else {
      throw ClusterError("no token: \(made.output)")
    }
    return String(token)
  }

  /// Posts events to the gateway until it has said that all are counted or parked, whatever is killed meanwhile.
  func postBlindly(_ events: [UsageEvent], token: String) async throws {
    _ = try await eventually { () async throws -> Bool? in
      let answer = try await post(events, token: token)
      guard let value = try? JSONValue(parsing: Array(answer.utf8), limits: .event),
        let object = JSONObject(value, path: "")
      else { return nil }
      var taken = 0
      for name in ["accepted", "duplicates", "parked"] {
        guard case .number(let count)? = object[name] else { return nil }
        taken += Int(count)!
      }
      return taken == events.count ? true : nil
    }
  }

  /// Posts events to the gateway once, and gives what it answers, or what curl says.
  func post(_ events: [UsageEvent], token: String) async throws -> String {
    let path = "\(directory)/events.json"
    var body = JSONWriter()
    body.array { body in
      for event in events {
        body.object { body in
          body.member("specversion", string: "1.0")
          body.member("type", string: UsageEvent.cloudEventType)
          body.member("id", string: event.id)
          body.member("source", string: event.source)
          body.member("subject", string: event.series.subscription)
          body.member("time", string: event.usageStart.description)
          body.member(
            "data",
            object: { data in
              data.member("meter", string: event.series.meter)
              data.member("quantity", event.quantity)
              data.member("resourceUri", string: event.series.resource.uri)
              if let correction = event.correction {
                data.member(correction.kind.field, string: correction.targetID)
              }
            })
        }
      }
    }
    try body.bytes.write(to: path)
    return try await Cluster.run(
      "/usr/bin/curl",
      [
        "-sS", "-m", "20", "-H", "Authorization: Bearer \(token)", "-H",
        "Content-Type: application/cloudevents-batch+json", "--data-binary", "@\(path)",
        "http://127.0.0.1:\(settings.gatewayPort)/v1/events",
      ], environment: ["PATH": "/usr/bin"], outputPath: "\(directory)/answer"
    ).output
  }
}

extension [UInt8] {
  /// Makes or replaces a file.
  func write(to path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    defer { close(descriptor) }
    guard Glibc.write(descriptor, self, count) == count else {
      throw ClusterError("cannot write \(path): \(errno)")
    }
  }
}
