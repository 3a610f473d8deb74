internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire
internal import Synchronization

/// Azure's tenant and provider Usage APIs: closed windows of reported time, a thousand rows a page.
final class AzureUsage: Sendable {
  private let query: QueryClient
  private let clock: any WallClock
  /// The authority of links where a request has no Host header.
  private let fallbackAuthority: String
  /// The newest open window that query told of. It only grows, so that most questions need no second call.
  private let openWindow = Mutex(Hour(index: 0))

  init(query: QueryClient, clock: any WallClock, fallbackAuthority: String) {
    self.query = query
    self.clock = clock
    self.fallbackAuthority = fallbackAuthority
  }

  /// `…/Microsoft.Commerce/UsageAggregates`: one subscription's usage.
  func tenant(_ request: GatewayRequest) async throws -> Reply {
    let subscription = try subscription(request)
    let parameters = try QueryParameters(parsing: request.query)
    let question = try AzureUsageQuestion(parameters, now: clock.now())
    guard request.caller.maySee(subscription) else {
      throw HTTPProblem.subscriptionNotFound(request.pathValue)
    }
    return try await answer(
      request, parameters, question, subscriptions: [subscription])
  }

  /// `…/Microsoft.Commerce.Admin/subscriberUsageAggregates`: all subscriptions' usage, for operators.
  func provider(_ request: GatewayRequest) async throws -> Reply {
    _ = try subscription(request)
    let parameters = try QueryParameters(parsing: request.query)
    let question = try AzureUsageQuestion(parameters, now: clock.now())
    return try await answer(
      request, parameters, question, subscriptions: question.subscriber.map { [$0] } ?? [])
  }

  private func subscription(_ request: GatewayRequest) throws(HTTPProblem) -> String {
    guard request.pathValue.utf8.contains(where: { $0 != UInt8(ascii: " ") }) else {
      throw HTTPProblem(
        .badRequest, "SubscriptionIdMissingInRequest",
        "the path must name a subscription: /subscriptions/{subscription id}/providers/…")
    }
    return request.pathValue.asciiLowercased
  }

  private func answer(
    _ request: GatewayRequest, _ parameters: QueryParameters, _ question: AzureUsageQuestion,
    subscriptions: [String]
  ) async throws -> Reply {
    try await requireClosed(question.windows)
    let page = try await page(
      ListUsageRequest(
        caller: request.caller, windows: question.windows, granularity: question.granularity,
        subscriptions: subscriptions, pageSize: GatewayLimits.azurePageRows,
        pageToken: question.continuationToken))
    let caller = request.pathValue
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in
          for aggregate in page.aggregates { writer.azureRow(aggregate, caller: caller) }
        })
      if !page.nextPageToken.isEmpty {
        writer.member(
          "nextLink", string: nextLink(request, parameters, token: page.nextPageToken))
      }
    }
  }

  private func page(_ request: ListUsageRequest) async throws -> ListUsageResponse {
    do {
      return try await query.listUsage(request)
    } catch {
      guard error.code == .notFound else { throw error }
      throw HTTPProblem.subscriptionNotFound(request.subscriptions.first ?? "")
    }
  }

  /// A row of a window that is still open would change later, so such a question must wait.
  private func requireClosed(_ windows: Range<Hour>) async throws {
    if windows.upperBound <= openWindow.withLock({ $0 }) { return }
    let open = try await query.status().openWindow
    openWindow.withLock { $0 = max($0, open) }
    guard windows.upperBound <= open else {
      throw HTTPProblem(
        .serviceUnavailable, "ServiceUnavailable",
        "usage reported up to \(windows.upperBound) is still being processed; up to \(open) it is complete"
      ).retry(afterSeconds: 5)
    }
  }

  /// The request's own URL with another token, absolute, as Azure writes it. Behind a proxy its scheme is the one
  /// that the proxy was asked by, so that the next request, with its API key, goes the same way.
  private func nextLink(
    _ request: GatewayRequest, _ parameters: QueryParameters, token: String
  ) -> String {
    let kept = parameters.items.filter { $0.name.asciiLowercased != "continuationtoken" }.map(\.raw)
    let query = (kept + ["continuationToken=\(percentEncoded(token))"]).joined(separator: "&")
    let forwarded = request.head.headerFields[values: .forwardedProto]
    let scheme = forwarded == ["https"] ? "https" : "http"
    return "\(scheme)://\(request.head.authority ?? fallbackAuthority)\(request.path)?\(query)"
  }
}

extension HTTPField.Name {
  /// The scheme of the request as a proxy in front took it.
  fileprivate static let forwardedProto = Self("X-Forwarded-Proto")!
}

extension Caller {
  /// Whether a question about this subscription, in lower case, may be asked at all. Query checks it again.
  func maySee(_ subscription: String) -> Bool {
    switch self {
    case .operator: true
    case .tenant(let subscriptions): subscriptions.contains(subscription)
    }
  }
}

extension JSONWriter {
  /// One row in the shape and member order of real Azure Stack answers. Tags and additional info are texts
  /// inside the text `instanceData`.
  fileprivate mutating func azureRow(_ aggregate: UsageAggregate, caller: String) {
    let series = aggregate.series
    let name = "\(series.subscription)-\(series.meter)"
    object { writer in
      writer.member(
        "id",
        string: "/subscriptions/\(caller)/providers/Microsoft.Commerce/UsageAggregate/\(name)")
      writer.member("name", string: name)
      writer.member("type", string: "Microsoft.Commerce/UsageAggregate")
      writer.member(
        "properties",
        object: { writer in
          writer.member("subscriptionId", string: series.subscription)
          writer.member("usageStartTime", string: aggregate.usageStart.azureText)
          writer.member("usageEndTime", string: aggregate.usageEnd.azureText)
          writer.member("instanceData", string: series.resource.azureInstanceData)
          writer.member("quantity", aggregate.quantity)
          writer.member("meterId", string: series.meter)
          writer.member("name", string: name)
        })
    }
  }
}

extension Resource {
  fileprivate var azureInstanceData: String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member(
        "Microsoft.Resources",
        object: { writer in
          writer.member("resourceUri", string: uri)
          writer.member("location", string: location)
          writer.member("tags", string: tags)
          writer.member("additionalInfo", string: additionalInfo)
        })
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
