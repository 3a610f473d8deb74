package import GRPCCore
package import StackmeterCore
package import StackmeterRPC
package import StackmeterWire

/// Calls query. Every question names its caller, and sees only what that caller may.
package struct QueryClient: Sendable {
  package static let timeout: Duration = .seconds(10)

  package let channel: any RPCChannel

  package init(_ channel: any RPCChannel) {
    self.channel = channel
  }

  /// One page; the next one by its `nextPageToken`.
  package func listUsage(_ request: ListUsageRequest) async throws(RPCError) -> ListUsageResponse {
    try await channel.call(QueryMethods.listUsage, request, timeout: QueryClient.timeout)
  }

  package func summarize(_ request: SummarizeRequest) async throws(RPCError) -> [UsageTotal] {
    try await summary(request).totals
  }

  /// The totals, and the sources that they still wait for.
  package func summary(_ request: SummarizeRequest) async throws(RPCError) -> SummarizeResponse {
    try await channel.call(QueryMethods.summarize, request, timeout: QueryClient.timeout)
  }

  /// One part of the file; the next one by its `nextPageToken`.
  package func exportUsage(
    _ request: ExportUsageRequest
  ) async throws(RPCError) -> ExportUsageResponse {
    try await channel.call(QueryMethods.exportUsage, request, timeout: QueryClient.timeout)
  }

  /// One page; the next one by its `nextPageToken`.
  package func explain(_ request: ExplainRequest) async throws(RPCError) -> ExplainResponse {
    try await channel.call(QueryMethods.explain, request, timeout: QueryClient.timeout)
  }

  package func listMeters() async throws(RPCError) -> [Meter] {
    try await channel.call(
      QueryMethods.listMeters, ListMetersRequest(), timeout: QueryClient.timeout
    ).meters
  }

  package func listWindows(
    _ request: ListWindowsRequest
  ) async throws(RPCError) -> ListWindowsResponse {
    try await channel.call(QueryMethods.listWindows, request, timeout: QueryClient.timeout)
  }

  /// One page; the next one by its `nextAfter`.
  package func listSubscriptions(
    _ request: ListSubscriptionsRequest
  ) async throws(RPCError) -> ListSubscriptionsResponse {
    try await channel.call(QueryMethods.listSubscriptions, request, timeout: QueryClient.timeout)
  }

  /// The declared sources, by name; for operators.
  package func listSources(
    caller: Caller = .operator
  ) async throws(RPCError) -> [SourceProgress] {
    try await channel.call(
      QueryMethods.listSources, ListSourcesRequest(caller: caller), timeout: QueryClient.timeout
    ).sources
  }

  /// Waits for the services' own answers, so it takes a little longer than theirs at most.
  package func status() async throws(RPCError) -> PipelineStatus {
    try await channel.call(
      QueryMethods.getStatus, GetStatusRequest(), timeout: .seconds(3))
  }
}
