internal import HTTPTypes

extension RouteTable {
  /// Everything that the gateway answers.
  static func gateway(
    azure: AzureAnswers, usage: UsageAnswers, catalog: CatalogAnswers, status: StatusAnswers,
    events: EventsAnswers, commerce: CommerceAnswers, quarantine: QuarantineAnswers,
    explain: ExplainAnswers,
    sources: SourceAnswers, connect: ConnectAnswers,
    metrics: MetricsAnswers, exports: ExportAnswers, rated: [Route], odata: ODataAnswers
  ) -> RouteTable {
    let routes = [
      Route(.get, "/healthz", .anyone, .health, status.health),
      Route(.get, "/livez", .anyone, .liveness, status.health),
      Route(.get, "/readyz", .anyone, .readiness, status.readiness),
      Route(.post, "/v1/events", .reporter, .events, events.report).unaudited,
      Route(.post, "/v1/commerce/usage", .reporter, .commerceUsage, commerce.report).unaudited,
      Route(.options, "/v1/events", .anyone, .eventsHandshake, events.handshake),
      Route(.post, "/v1/heartbeats", .reporter, .heartbeat, sources.heartbeat),
      Route(.get, "/v1/sources", .operatorOnly, .sources, sources.list).unaudited,
      Route(.get, "/v1/usage", .caller, .usage, usage.usage),
      Route(.get, "/v1/usage/summary", .caller, .summary, usage.summary),
      Route(.get, "/v1/exports/usage", .caller, .exportUsage, exports.usage),
      Route(.get, "/v1/exports/focus", .caller, .exportFocus, exports.focus),
      Route(
        .get, "/v1/exports/focus/metadata", .caller, .focusMetadata, exports.focusMetadata
      ).unaudited,
      Route(.get, "/v1/subscriptions", .caller, .subscriptions, catalog.subscriptions),
      Route(.get, "/v1/explain", .caller, .explain, explain.explain),
      Route(.get, "/v1/meters", .caller, .meters, catalog.meters).unaudited,
      Route(.get, "/v1/windows", .caller, .windows, catalog.windows).unaudited,
      Route(.get, "/metrics", .operatorOnly, .metrics, metrics.metrics).unaudited,
      Route(.get, "/v1/status", .operatorOnly, .status, status.status).unaudited,
      Route(.get, "/v1/quarantine", .operatorOnly, .quarantine, quarantine.list),
      Route(
        .get, "/v1/quarantine/{id}", .operatorOnly, .quarantineEntry, quarantine.show),
      Route(.post, "/v1/quarantine/redrive", .operatorOnly, .redrive, quarantine.redrive),
      Route(.post, "/v1/quarantine/discard", .operatorOnly, .discard, quarantine.discard),
    ]
    return RouteTable(
      describing: routes + rated + azure.routes + odata.routes + connect.routes)
  }
}
