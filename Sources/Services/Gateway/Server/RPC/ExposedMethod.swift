internal import CollectorClient
internal import QueryClient
internal import StackmeterRPC

/// A method of a service that clients may call by `POST /{package}.{Service}/{Method}`, and who may.
///
/// What a tenant may call names its caller in the request, and that is who the gateway knows it to be. Not exposed is
/// what services say only to each other, and what is not one request and one answer.
struct ExposedMethod: Sendable {
  enum Service: Sendable {
    case collector
    case query
  }

  let service: Service
  let method: TranscodedMethod
  let access: Route.Access
  /// One line, for people.
  let summary: String

  private init(
    _ service: Service, _ method: TranscodedMethod, _ access: Route.Access, _ summary: String
  ) {
    self.service = service
    self.method = method
    self.access = access
    self.summary = summary
  }

  /// What tells of usage is a read, though every call is a POST; reports are in the journal.
  var audit: Route.Audit {
    switch String(method.path.split(separator: "/").last ?? "") {
    case "ListUsage", "Summarize", "Explain", "ListSubscriptions", "ListQuarantine",
      "GetQuarantineEntry", "ListRateCards", "GetRateCard",
      "ListRates", "ListCharges", "ListStatements", "GetStatement", "TryRateCard",
      "ListBudgets",
      "ExportFocus", "Showback", "Reconcile":
      .reads
    case "ListMeters", "ListWindows", "ListSources", "GetStatus", "Report": .never
    default: .byMethod
    }
  }

  static let all = [
    ExposedMethod(
      .query, TranscodedMethod(QueryMethods.listUsage), .caller,
      "Usage aggregates by reported or usage time, page by page."),
    ExposedMethod(
      .query, TranscodedMethod(QueryMethods.summarize), .caller,
      "Exact totals of each meter by usage or reported time."),
    ExposedMethod(
      .query, TranscodedMethod(QueryMethods.explain), .caller,
      "The events that an aggregate is made of, page by page."),
    ExposedMethod(
      .query, TranscodedMethod(QueryMethods.listSubscriptions), .caller,
      "The subscriptions that the caller may see, page by page."),
    ExposedMethod(
      .query, TranscodedMethod(QueryMethods.listMeters), .caller, "The catalog of meters."),
    // These tell of everybody's usage.
    ExposedMethod(
      .query, TranscodedMethod(QueryMethods.listWindows), .operatorOnly,
      "Reporting windows, newest first."),
    ExposedMethod(
      .query, TranscodedMethod(QueryMethods.listSources), .operatorOnly,
      "The sources that usage is expected of."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.listRates), .caller,
      "What usage costs one subscription now."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.listCharges), .caller,
      "The charges of one subscription for one billing period, page by page."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.listStatements), .caller,
      "Closed statements, by number, page by page."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.getStatement), .caller,
      "A closed statement, or a draft."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.exportFocus), .caller,
      "The statements of a billing period with their charges as FOCUS, part by part."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.showback), .caller,
      "What the statements of a billing period come to, by something."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.reconcile), .caller,
      "Whether the statements of a billing period tie."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.listBudgets), .caller,
      "How budgets stand by closed windows, page by page."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.listRateCards), .operatorOnly,
      "The versions of rate cards."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.getRateCard), .operatorOnly,
      "One version of a rate card with its text."),
    ExposedMethod(
      .query, TranscodedMethod(RatingMethods.tryRateCard), .operatorOnly,
      "What a billing period would cost by a draft of a rate card, page by page."),
    ExposedMethod(
      .query, TranscodedMethod(QueryMethods.getStatus), .operatorOnly, "The whole pipeline."),
    ExposedMethod(
      .collector, TranscodedMethod(CollectorMethods.report), .operatorOnly,
      "Reports events; retrying is always safe."),
    ExposedMethod(
      .collector, TranscodedMethod(CollectorMethods.heartbeat), .operatorOnly,
      "Says how far a source's usage is reported."),
    ExposedMethod(
      .collector, TranscodedMethod(CollectorMethods.listQuarantine), .operatorOnly,
      "What was refused, page by page."),
    ExposedMethod(
      .collector, TranscodedMethod(CollectorMethods.getQuarantineEntry), .operatorOnly,
      "One entry of the quarantine."),
    ExposedMethod(
      .collector, TranscodedMethod(CollectorMethods.redriveQuarantine), .operatorOnly,
      "Takes refused events again."),
    ExposedMethod(
      .collector, TranscodedMethod(CollectorMethods.discardQuarantine), .operatorOnly,
      "Gives refused events up."),
    ExposedMethod(
      .collector, TranscodedMethod(CollectorMethods.getStatus), .operatorOnly, "The collector."),
  ]
}
