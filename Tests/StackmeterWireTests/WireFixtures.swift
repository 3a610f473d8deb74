import StackmeterCore
import StackmeterWire

extension WireFixture {
  /// Every message that a call takes or gives.
  static let all: [WireFixture] = collector + query + rating + bridge + health + reflection

  private static let collector = [
    WireFixture(
      "stackmeter.v1.ReportRequest",
      [ReportRequest([]), ReportRequest([.bare]), ReportRequest(UsageEvent.several)]),
    WireFixture(
      "stackmeter.v1.ReportResponse",
      [ReportResponse(results: []), ReportResponse(results: EventResult.several)]),
    WireFixture(
      "stackmeter.v1.EventBatch",
      [NumberedBatch(number: 0, batch: EventBatch(source: ""))]
        + ReportRequest(UsageEvent.several).batches.map {
          NumberedBatch(number: .max, batch: $0.batch)
        }),
    WireFixture(
      "stackmeter.v1.BatchResult",
      [
        BatchResult(number: 0, results: EventResults()),
        BatchResult(number: 7, results: EventResults(EventResult.several)),
      ]),
    WireFixture(
      "stackmeter.v1.ReadJournalRequest",
      [
        ReadJournalRequest(fromPosition: 0, follow: false),
        ReadJournalRequest(fromPosition: .max, follow: true, journalID: .max - 1),
      ]),
    WireFixture(
      "stackmeter.v1.JournalChunk",
      [
        JournalChunk(records: [], nextPosition: 0, durablePosition: 0, journalID: 0),
        JournalChunk(
          records: [0, 255, 0, 1], nextPosition: 4, durablePosition: .max, journalID: .max - 1),
      ]),
    WireFixture(
      "stackmeter.v1.ConfirmAppliedRequest",
      [
        ConfirmAppliedRequest(position: 0, journalID: 0),
        ConfirmAppliedRequest(position: .max, journalID: .max),
      ]),
    WireFixture("stackmeter.v1.ConfirmAppliedResponse", [ConfirmAppliedResponse()]),
    WireFixture(
      "stackmeter.v1.FindUsageRequest",
      [
        FindUsageRequest(
          positions: 0..<0, journalID: 0, subscription: "", meter: "", usageHour: Hour(index: 0)),
        FindUsageRequest(
          positions: 1..<(.max), journalID: .max, subscription: "s", meter: "m", resourceURI: "/r",
          usageHour: Hour(index: 498_736), limit: 1000),
      ]),
    WireFixture(
      "stackmeter.v1.FindUsageResponse",
      [
        FindUsageResponse(usage: [], nextPosition: 0),
        FindUsageResponse(usage: JournaledUsage.several, nextPosition: .max),
      ]),
    WireFixture(
      "stackmeter.v1.ListQuarantineRequest",
      [
        ListQuarantineRequest(afterNumber: 0, pageSize: 0),
        ListQuarantineRequest(
          afterNumber: .max, pageSize: UInt32(ListQuarantineRequest.pageSizeMax), filter: .full,
          includeResolved: true),
      ]),
    WireFixture(
      "stackmeter.v1.ListQuarantineResponse",
      [
        ListQuarantineResponse(entries: [], more: false, lastNumber: 0),
        ListQuarantineResponse(entries: QuarantineEntry.several, more: true, lastNumber: .max),
      ]),
    WireFixture(
      "stackmeter.v1.GetQuarantineEntryRequest",
      [GetQuarantineEntryRequest(number: 0), GetQuarantineEntryRequest(number: .max)]),
    WireFixture("stackmeter.v1.QuarantineEntry", QuarantineEntry.several),
    WireFixture(
      "stackmeter.v1.ResolveQuarantineRequest",
      [
        ResolveQuarantineRequest(.numbers([1, .max, 0])),
        ResolveQuarantineRequest(.matching(QuarantineFilter(), after: 0, limit: 1000)),
        ResolveQuarantineRequest(.matching(.full, after: .max, limit: 1)),
      ]),
    WireFixture(
      "stackmeter.v1.ResolveQuarantineResponse",
      [
        ResolveQuarantineResponse(results: [], more: false, lastNumber: 0),
        ResolveQuarantineResponse(
          results: [
            QuarantineResult(number: 1, state: .resolved(.redriven(position: .max))),
            QuarantineResult(number: 2, state: .resolved(.discarded)),
            QuarantineResult(number: 3, state: .absent),
            QuarantineResult(
              number: .max, state: .open,
              refusal: Refusal(.unknownMeter, field: "series.meter", "is Ünknown")),
          ], more: true, lastNumber: .max),
      ]),
    WireFixture(
      "stackmeter.v1.HeartbeatRequest",
      [
        HeartbeatRequest(.end(of: "")),
        HeartbeatRequest(
          Heartbeat(
            source: "Microsoft.Storage", cadenceSeconds: .max,
            completeUntil: Instant(nanoseconds: .max))),
      ]),
    WireFixture(
      "stackmeter.v1.HeartbeatResponse",
      [HeartbeatResponse(source: nil), HeartbeatResponse(source: .full)]),
    WireFixture("stackmeter.v1.GetStatusRequest", [GetStatusRequest()]),
    WireFixture("stackmeter.v1.CollectorStatus", [CollectorStatus(), .full]),
  ]

  private static let query = [
    WireFixture("stackmeter.v1.AggregatorStatus", [AggregatorStatus(), .full]),
    WireFixture(
      "stackmeter.v1.RestateRequest",
      [RestateRequest(isDryRun: false), RestateRequest(isDryRun: true)]),
    WireFixture("stackmeter.v1.RestateResponse", [RestateResponse(), .full]),
    WireFixture("stackmeter.v1.PipelineStatus", [PipelineStatus(), .full]),
    WireFixture(
      "stackmeter.v1.ListUsageRequest",
      [
        ListUsageRequest(caller: .operator, windows: .day, granularity: .daily),
        ListUsageRequest(
          caller: .tenant(subscriptions: ["s-1", "s-2"]), windows: .day, granularity: .hourly,
          subscriptions: ["s-2"], meters: ["m", "Ünits"], pageSize: 1000, pageToken: "abc",
          withoutResources: true),
        ListUsageRequest(
          caller: .operator, axis: .usage, windows: .day, granularity: .monthly, series: .some,
          asOf: Hour(index: 498_000)),
      ]),
    WireFixture(
      "stackmeter.v1.ListUsageResponse",
      [
        ListUsageResponse(aggregates: [], nextPageToken: ""),
        ListUsageResponse(
          aggregates: UsageEvent.several.map { event in
            UsageAggregate(
              series: event.series, usageStart: event.usageStart, usageEnd: event.usageEnd,
              quantity: event.quantity, window: Hour(index: 498_000), isProvisional: true,
              isFinal: true, cell: "north", id: "abc-2026112315-2026112316")
          }, nextPageToken: "token", missing: .some, openWindow: Hour(index: 498_000)),
      ]),
    WireFixture(
      "stackmeter.v1.SummarizeRequest",
      [
        SummarizeRequest(caller: .tenant(subscriptions: []), hours: .day),
        SummarizeRequest(
          caller: .operator, hours: .day, byDay: true, bySubscription: true,
          subscriptions: ["s"], meters: ["m"]),
        SummarizeRequest(
          caller: .operator, axis: .reported, hours: .day,
          groupings: [
            .hour, .day, .month, .subscription, .resource, .resourceGroup, .location, .tag("t"),
            .owner, .costCenter, .subscriptionTag("département"),
          ], series: .some, asOf: Hour(index: 498_000), top: 1000),
        SummarizeRequest(caller: .operator, hours: .day, groupings: [.subscription, .day]),
      ]),
    WireFixture(
      "stackmeter.v1.SummarizeResponse",
      [
        SummarizeResponse(totals: []),
        SummarizeResponse(
          totals: [
            UsageTotal(
              day: Day(index: 20_000), subscription: "s", meter: "m", quantity: .max,
              isProvisional: true),
            UsageTotal(
              day: nil, subscription: nil, meter: "m", quantity: .zero, isProvisional: false,
              isFinal: true),
            UsageTotal(
              period: Hour(index: 480_000), groups: ["a", nil, ""], isOthers: true, meter: "m",
              quantity: .zero, isProvisional: false),
          ], missing: .some, openWindow: Hour(index: 498_000)),
      ]),
    WireFixture(
      "stackmeter.v1.ExportUsageRequest",
      [
        ExportUsageRequest(caller: .operator),
        ExportUsageRequest(
          caller: .tenant(subscriptions: ["s"]), from: Hour(index: 1), to: Hour(index: 2),
          granularity: .daily, format: .ndjson, subscriptions: ["s"], meters: ["m"],
          series: .some, restatedSince: Hour(index: 3), hasByteOrderMark: true, hasEndRecord: true,
          pageToken: "t"),
      ]),
    WireFixture(
      "stackmeter.v1.ExportUsageResponse",
      [
        ExportUsageResponse(data: [], rows: 0, nextPageToken: "", windows: .day),
        ExportUsageResponse(data: [0, 0xFF], rows: .max, nextPageToken: "t", windows: .day),
      ]),
    WireFixture("stackmeter.v1.ListMetersRequest", [ListMetersRequest()]),
    WireFixture(
      "stackmeter.v1.ListMetersResponse",
      [
        ListMetersResponse(meters: []),
        ListMetersResponse(meters: [
          Meter(
            id: "m", name: "Maß", unit: "GB*hours", category: "Storage",
            resourceProvider: "Microsoft.Storage", aggregation: .sum, isBillable: true)
        ]),
      ]),
    WireFixture(
      "stackmeter.v1.ExplainRequest",
      [
        ExplainRequest(
          caller: .operator, subscription: "s", meter: "m", usageHour: Hour(index: 0)),
        ExplainRequest(
          caller: .tenant(subscriptions: ["s"]), subscription: "s", meter: "m", resourceURI: "/r",
          usageHour: Hour(index: 498_736), window: Hour(index: 498_737), pageSize: .max,
          pageToken: "t"),
      ]),
    WireFixture(
      "stackmeter.v1.ExplainResponse",
      [
        ExplainResponse(
          parts: [], nextPageToken: "", aggregation: .sum, aggregate: .zero, explained: .zero,
          isProvisional: false, problem: ""),
        ExplainResponse(
          parts: JournaledUsage.several.map {
            ExplainedPart(usage: $0, part: Quantity.max.negated, window: Hour(index: -1))
          }, nextPageToken: "t", aggregation: .uniqueCount, aggregate: .max, explained: Quantity(1),
          isProvisional: true, problem: "p"),
      ]),
    WireFixture(
      "stackmeter.v1.ListWindowsRequest",
      [
        ListWindowsRequest(caller: .operator),
        ListWindowsRequest(
          caller: .tenant(subscriptions: ["a"]), before: Hour(index: -5), pageSize: .max),
      ]),
    WireFixture(
      "stackmeter.v1.ListWindowsResponse",
      [
        ListWindowsResponse(windows: []),
        ListWindowsResponse(
          windows: [
            ReportingWindow(
              hour: Hour(index: 2), isClosed: true, aggregates: .max, isFinal: true,
              missingAtClose: .some),
            ReportingWindow(hour: Hour(index: 0), isClosed: false, aggregates: 0),
            ReportingWindow(
              hour: Hour(index: 1), isClosed: false, aggregates: 3,
              cells: [
                CellWindow(cell: "north", isClosed: true, aggregates: .max, missingAtClose: .some),
                CellWindow(cell: "", isClosed: false, aggregates: 0),
              ]),
          ], missing: MissingSources(names: [], others: .max)),
      ]),
    WireFixture(
      "stackmeter.v1.ListSubscriptionsRequest",
      [
        ListSubscriptionsRequest(caller: .operator),
        ListSubscriptionsRequest(
          caller: .tenant(subscriptions: ["s"]), ids: ["s", "t"], after: "a", pageSize: .max),
      ]),
    WireFixture(
      "stackmeter.v1.ListSubscriptionsResponse",
      [
        ListSubscriptionsResponse(subscriptions: [], nextAfter: ""),
        ListSubscriptionsResponse(
          subscriptions: [
            Subscription(
              id: "s", displayName: "Ünits", owner: "o", costCenter: "1", tags: #"{"a":"b"}"#,
              state: .suspended), Subscription(id: "t", state: .unassigned),
          ], nextAfter: "t"),
      ]),
    WireFixture(
      "stackmeter.v1.ListSourcesRequest",
      [
        ListSourcesRequest(caller: .provider("p")),
        ListSourcesRequest(caller: .reporter(sources: ["a", "b"])),
      ]),
    WireFixture(
      "stackmeter.v1.ListSourcesResponse",
      [
        ListSourcesResponse(sources: []),
        ListSourcesResponse(sources: [
          SourceProgress(.full, now: Instant(nanoseconds: 0)),
          SourceProgress(
            name: "", cadenceSeconds: 0, completeUntil: Instant(nanoseconds: .min),
            heardTime: Instant(nanoseconds: .max), overdueSeconds: .max),
        ]),
      ]),
  ]

  private static let health = [
    WireFixture(
      "grpc.health.v1.HealthCheckRequest",
      [HealthCheckRequest(), HealthCheckRequest(service: "stackmeter.v1.Collector")]),
    WireFixture(
      "grpc.health.v1.HealthCheckResponse",
      [.unknown, .serving, .notServing, .serviceUnknown].map {
        HealthCheckResponse(status: $0)
      }),
  ]

  private static let reflection = [
    WireFixture(
      "grpc.reflection.v1.ServerReflectionRequest", ServerReflectionRequest.several),
    WireFixture(
      "grpc.reflection.v1.ServerReflectionResponse",
      ServerReflectionRequest.several.flatMap { request in
        [
          nil, .files([]), .files([[], [0, 255]]), .services([]), .services(["", "a.B"]),
          .error(code: -1, message: "no"),
        ].map { ServerReflectionResponse(to: request, $0) }
      }),
  ]
}

extension ReportingSource {
  static let full = ReportingSource(
    name: "Microsoft.Storage", cadenceSeconds: 3600,
    completeUntil: Instant(nanoseconds: 1_800_000_000_000_000_000),
    heardTime: Instant(nanoseconds: -1), position: .max)
}

extension SeriesSelection {
  /// With something in every list.
  static var some: SeriesSelection {
    var selection = SeriesSelection()
    selection.resourceURIs = ["/a", "/B"]
    selection.resourceURIPrefixes = ["/"]
    selection.resourceGroups = ["rg"]
    selection.locations = ["nörd"]
    selection.tags = [
      TagSelection(name: "a", value: "b:c"), TagSelection(name: "d", value: nil),
      TagSelection(name: "e", value: ""),
    ]
    return selection
  }
}

extension MissingSources {
  static let some = MissingSources(names: ["a", "Ünits"], others: .max)
}

extension Range<Hour> {
  static let day = Hour(index: 480_000)..<Hour(index: 480_024)
}

extension UsageEvent {
  /// Every field is the default of its type.
  static let bare = UsageEvent(
    id: "", source: "",
    series: Series(subscription: "", meter: "", resource: Resource(uri: "")),
    usageStart: Instant(nanoseconds: 0), usageEnd: Instant(nanoseconds: 0), quantity: .zero)

  /// One for each kind of value that a field can have, of two sources.
  static let several: [UsageEvent] = [
    .bare,
    UsageEvent(
      id: "event-1", source: "provider",
      series: Series(
        subscription: "s-1", meter: "m",
        resource: Resource(
          uri: "/subscriptions/s-1/x", location: "local",
          tags: Resource.canonicalTags([("owner", "Jürgen \"J\" 🚗"), ("", "")]),
          additionalInfo: "{\"a\":\"\\n\"}")),
      usageStart: Instant(nanoseconds: .min), usageEnd: Instant(nanoseconds: .max),
      quantity: Quantity(units: -1, attos: -500_000_000_000_000_000)!),
    UsageEvent(
      id: "é", source: "provider",
      series: Series(subscription: "s-1", meter: "m", resource: Resource(uri: "/r")),
      usageStart: Instant(seconds: 3600), usageEnd: Instant(seconds: 7200), quantity: .max),
    UsageEvent(
      id: "e\u{301}", source: "provider",
      series: Series(subscription: "s-1", meter: "m", resource: Resource(uri: "/r")),
      usageStart: Instant(seconds: 3600), usageEnd: Instant(seconds: 7200),
      quantity: Quantity(attos: 1)!),
    UsageEvent(
      id: "r", source: "provider",
      series: Series(subscription: "s-1", meter: "m", resource: Resource(uri: "/r")),
      usageStart: Instant(seconds: 3600), usageEnd: Instant(seconds: 7200),
      quantity: Quantity(3), correction: Correction(.replaces, "event-1")),
    UsageEvent(
      id: "v", source: "provider",
      series: Series(subscription: "", meter: "", resource: Resource(uri: "")),
      usageStart: Instant(seconds: 3600), usageEnd: Instant(seconds: 0),
      quantity: .zero, correction: Correction(.voids, "é")),
    UsageEvent(
      id: "b", source: "provider",
      series: Series(subscription: "s-1", meter: "m", resource: Resource(uri: "/r")),
      usageStart: Instant(seconds: 3600), usageEnd: Instant(seconds: 7200),
      quantity: .zero, correction: Correction(.contradictory, "event-1")),
  ]
}

extension EventResult {
  /// One of each case, and runs.
  static let several: [EventResult] = {
    let refusal = Refusal(.malformed, field: "quantity", "is Ünusual")
    let time = Instant(seconds: 1_700_000_000)
    return [
      .accepted(position: 5, reportedTime: time),
      .accepted(position: 6, reportedTime: Instant(nanoseconds: time.nanoseconds + 1)),
      .duplicate(position: 6), .duplicate(position: 7), .duplicate(position: 7),
      .parked(position: 8), .parked(position: 9),
      .conflict(position: 9, refusal), .conflict(position: 9, refusal),
      .quarantined(Refusal(.inFuture, field: "", "")), .invalid(refusal), .invalid(refusal),
      .accepted(position: .max, reportedTime: Instant(nanoseconds: .max)),
    ]
  }()
}

extension QuarantineFilter {
  static let full = QuarantineFilter(
    reasons: [.unknownMeter, .conflict], source: "Quelle ü", subscription: "S-1",
    from: Instant(nanoseconds: 1), to: Instant(nanoseconds: .max))
}

extension QuarantineEntry {
  /// Open and closed ones.
  static let several: [QuarantineEntry] = UsageEvent.several.enumerated().map { index, event in
    let time = Instant(seconds: 11)
    let resolutions: [QuarantineResolution?] = [
      nil, QuarantineResolution(.redriven(position: 4), time: time),
      QuarantineResolution(.discarded, time: time),
    ]
    return QuarantineEntry(
      number: UInt64(index), refusedTime: Instant(seconds: 9),
      refusal: Refusal(.tooOld, field: "usage_start", "is too old"), event: event,
      resolution: resolutions[index % 3])
  }
}

extension CollectorStatus {
  static let full: CollectorStatus = {
    var status = CollectorStatus()
    status.nextPosition = 1
    status.lastReportedTime = Instant(nanoseconds: -2)
    status.journalBytes = 3
    status.accepted = 4
    status.duplicates = 5
    status.refused = 6
    status.quarantineEntries = 7
    status.quarantineBytes = 8
    status.dedupEntries = 9
    status.diskFreeBytes = 10
    status.diskReserveBytes = .max
    status.refusing = "the disk is full"
    status.quarantineDropped = 12
    status.clockProblem = "the clock is wrong"
    status.syncs = 13
    status.parkedCorrections = 14
    return status
  }()
}

extension RestateResponse {
  static let full: RestateResponse = {
    var response = RestateResponse()
    response.isApplied = true
    response.position = .max
    response.window = Hour(index: 498_736)
    response.fromHour = Hour(index: 498_000)
    var meter = RestatedMeter()
    meter.meter = "Mèter"
    (meter.from, meter.to) = (.latest, .uniqueCount)
    (meter.series, meter.hours, meter.hoursLookedAt) = (1, 2, .max)
    meter.totals = Totals(before: Quantity(-3), after: .max)
    var other = RestatedMeter()
    other.totals = nil
    response.meters = [meter, other]
    response.differences = [nil, .zero, Quantity(-3), .max].map {
      Difference(
        subscription: "s", meter: "Mèter", resourceURI: "/r", usageHour: Hour(index: 498_001),
        quantity: $0)
    }
    response.differenceCount = .max
    response.unapplied = 7
    return response
  }()
}

extension AggregatorStatus {
  static let full: AggregatorStatus = {
    var status = AggregatorStatus()
    status.nextPosition = 1
    status.durablePosition = 2
    status.appliedReportedTime = Instant(nanoseconds: 3)
    status.openWindow = Hour(index: -4)
    status.appliedEvents = 5
    status.commits = 6
    status.isFollowing = true
    status.problem = "the collector is down"
    status.unappliedEvents = .max
    status.warnings = ["the catalog"]
    status.faults = ["the disk", "a row"]
    return status
  }()
}

extension PipelineStatus {
  static let full: PipelineStatus = {
    var status = PipelineStatus()
    status.appliedPosition = .max
    status.appliedReportedTime = Instant(nanoseconds: .min)
    status.openWindow = Hour(index: .max)
    status.collector = .full
    status.aggregator = .full
    status.problems = ["first", "", "dritte ß"]
    return status
  }()
}

extension ServerReflectionRequest {
  /// Each question once.
  static let several = [
    nil, .file(name: "a/b.proto"), .fileDeclaring(symbol: "a.B"),
    .fileExtending(type: "a.B", number: .min), .extensionNumbers(type: ""), .services("*"),
  ].map { ServerReflectionRequest(host: "h", $0) }
}

extension JournaledUsage {
  fileprivate static let several = UsageEvent.several.enumerated().map { index, event in
    JournaledUsage(
      position: UInt64(index), reportedTime: Instant(nanoseconds: -1), event: event,
      takesBack: index % 2 == 0 ? .max : nil, counts: index % 3 == 0 ? event.quantity : nil)
  }
}
