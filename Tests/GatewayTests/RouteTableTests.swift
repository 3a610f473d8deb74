import CollectorClient
import HTTPTypes
import QueryClient
import StackmeterCore
import StackmeterTesting
import Testing

@testable import GatewayServer

/// The table of a gateway whose services are not there.
func withTable(_ body: (RouteTable) async throws -> Void) async throws {
  try await withInProcessChannel(endpoints: []) { channel in
    let (query, collector) = (QueryClient(channel), CollectorClient(channel))
    let clock = SimulatedClock(RunningGateway.start)
    let meters = MeterNames(query: query, clock: clock)
    try await body(
      .gateway(
        azure: AzureAnswers(
          query: query, meters: meters, clock: clock, fallbackAuthority: "h"),
        usage: UsageAnswers(
          query: query, meters: meters, clock: clock),
        catalog: CatalogAnswers(query: query),
        status: StatusAnswers(query: query, collector: collector),
        events: EventsAnswers(collector: collector, metrics: GatewayMetrics()),
        commerce: CommerceAnswers(collector: collector),
        quarantine: QuarantineAnswers(collector: collector),
        explain: ExplainAnswers(query: query),
        sources: SourceAnswers(query: query, collector: collector),
        connect: ConnectAnswers(query: query, collector: collector),
        metrics: MetricsAnswers(
          metrics: GatewayMetrics(), connections: Connections(connectionsMax: 1),
          bridge: nil),
        exports: ExportAnswers(query: query), rated: RouteTable.rated(query, issuer: ""),
        odata: ODataAnswers(
          query: query, meters: meters, clock: clock,
          links: GatewayLinks(fallbackAuthority: "localhost"))))
  }
}

@Suite(.timeLimit(.minutes(1))) struct RouteTableTests {
  @Test func `only the gateway's health and address are open to anyone`() async throws {
    try await withTable { table in
      let open = table.routes.filter { $0.access == .anyone }.map(\.path.text)
      // Of events, the handshake only.
      #expect(
        open == [
          "/healthz", "/livez", "/readyz", "/v1/events", "/metadata/endpoints", "/openapi.json",
        ])
      let guarded = table.routes.filter { $0.access != .anyone }
      try await withGateway { gateway in
        for route in guarded {
          let path = String(route.path.text.map { $0 == "{" || $0 == "}" ? "x" : $0 })
          let answer = try await gateway.send(route.method.rawValue, path, token: nil)
          #expect(answer.status == 401, "\(route.method) \(path)")
        }
      }
    }
  }

  @Test func `what changes or tells of everything is for operators, or for those it is made for`()
    async throws
  {
    try await withTable { table in
      for route in table.routes
      where route.method != .get && route.method != .options
        // Services' methods are questions too; `ConnectTests` has who may call them.
        && Surface(path: route.path.text) != .connect
      {
        let isReport = ["/v1/events", "/v1/commerce/usage", "/v1/heartbeats"].contains(
          route.path.text)
        #expect(route.access == (isReport ? .reporter : .operatorOnly))
      }
      for route in table.routes where route.path.text.contains("subscriber") {
        #expect(route.access == .provider)
      }
    }
  }

  @Test func `a pattern keeps the case of what it captures and decodes it`() {
    let azure: PathPattern = "/subscriptions/{id}/providers/Microsoft.Commerce/UsageAggregates"
    #expect(azure.match("/subscriptions/AbC/providers/microsoft.commerce/usageaggregates") == "AbC")
    #expect(azure.match("/Subscriptions/a%2Fb/Providers/Microsoft.Commerce/X") == nil)
    #expect(
      azure.match("/Subscriptions/a%2fb+c/Providers/Microsoft.Commerce/UsageAggregates/")
        == "a/b+c")
    #expect(azure.match("/subscriptions/%zz/providers/Microsoft.Commerce/UsageAggregates") == nil)
    let location: PathPattern = "/subscriptions/{id}/locations/{location}/x"
    #expect(location.match("/subscriptions/a/locations/b/x") == "a")
    #expect(location.match("/subscriptions/a/locations/x") == nil)
    let native: PathPattern = "/v1/usage"
    #expect(native.match("/v1/usage") == "")
    #expect(native.match("/v1/usage/") == "")
    #expect(native.match("/v1/Usage") == nil)
    #expect(native.match("/v1//usage") == nil)
  }
}
