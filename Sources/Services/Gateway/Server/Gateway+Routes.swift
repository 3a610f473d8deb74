internal import HTTPTypes

extension RouteTable {
  /// Everything that the gateway answers.
  static func gateway(
    azure: AzureAnswers, usage: UsageAnswers, catalog: CatalogAnswers, status: StatusAnswers,
    events: EventsAnswers, quarantine: QuarantineAnswers, explain: ExplainAnswers,
    sources: SourceAnswers
  ) -> RouteTable {
    let routes = [
      Route(.get, "/healthz", .anyone, status.health),
      Route(.get, "/readyz", .anyone, status.readiness),
      Route(.post, "/v1/events", .reporter, audit: .never, events.report),
      Route(.post, "/v1/heartbeats", .reporter, sources.heartbeat),
      Route(.get, "/v1/sources", .operatorOnly, audit: .never, sources.list),
      Route(.get, "/v1/usage", .caller, usage.usage),
      Route(.get, "/v1/usage/summary", .caller, usage.summary),
      Route(.get, "/v1/subscriptions", .caller, catalog.subscriptions),
      Route(.get, "/v1/explain", .caller, explain.explain),
      Route(.get, "/v1/meters", .caller, audit: .never, catalog.meters),
      Route(.get, "/v1/windows", .caller, audit: .never, catalog.windows),
      Route(.get, "/v1/status", .operatorOnly, audit: .never, status.status),
      Route(.get, "/v1/quarantine", .operatorOnly, quarantine.list),
      Route(.get, "/v1/quarantine/{id}", .operatorOnly, quarantine.show),
      Route(.post, "/v1/quarantine/redrive", .operatorOnly, quarantine.redrive),
      Route(.post, "/v1/quarantine/discard", .operatorOnly, quarantine.discard),
    ]
    return RouteTable(routes: routes + azure.routes)
  }
}
