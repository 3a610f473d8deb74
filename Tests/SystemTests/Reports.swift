import CollectorClient
import GRPCCore
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
  /// Returns once the service answers health checks.
  func serving(_ services: String...) async throws {
    for service in services {
      _ = try await eventually {
        let isServing = try? await withRPCChannel(socketPath: settings.socketPath(service)) {
          await HealthClient($0).isServing()
        }
        return isServing == true ? true : nil
      }
    }
  }

  /// Calls one service.
  func call<Answer: Sendable>(
    _ service: String, _ body: @Sendable (any RPCChannel) async throws -> Answer
  ) async throws -> Answer {
    try await withRPCChannel(socketPath: settings.socketPath(service), body)
  }
}
