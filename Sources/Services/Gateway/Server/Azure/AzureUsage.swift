internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire
internal import Synchronization

/// Azure's tenant and provider Usage APIs: closed windows of reported time, a thousand rows a page. README.md has
/// the decisions.
final class AzureUsage: Sendable {
  private let query: QueryClient
  private let clock: any WallClock
  private let links: GatewayLinks
  private let directTenants: DirectTenants
  /// The newest open window that query told of. It only grows, so that most questions need no second call.
  private let openWindow = Mutex(Hour(index: 0))

  init(query: QueryClient, clock: any WallClock, links: GatewayLinks) {
    self.query = query
    self.clock = clock
    self.links = links
    directTenants = DirectTenants(query: query)
  }

  /// `…/Microsoft.Commerce/UsageAggregates`: one subscription's usage.
  func tenant(_ request: GatewayRequest) async throws -> Reply {
    let subscription = try subscription(request)
    let parameters = try AzureParameters(request)
    let question = try AzureUsageQuestion(parameters, now: clock.now())
    guard request.caller.maySee(subscription) else {
      throw HTTPProblem.subscriptionNotFound(request.pathValue)
    }
    return try await answer(request, parameters, question, subscriptions: [subscription])
  }

  /// `…/Microsoft.Commerce.Admin/subscriberUsageAggregates`: the usage of all direct tenants, or of one. A delegated
  /// provider's path names the provider itself.
  func provider(_ request: GatewayRequest) async throws -> Reply {
    let subscription = try subscription(request)
    if case .provider(let own) = request.caller, !own.hasSameBytes(as: subscription) {
      throw HTTPProblem.subscriptionNotFound(request.pathValue)
    }
    let parameters = try AzureParameters(request)
    let question = try AzureUsageQuestion(parameters, now: clock.now())
    if let subscriber = question.subscriber {
      try await directTenants.require(subscriber, of: request.caller)
    }
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
    _ request: GatewayRequest, _ parameters: AzureParameters, _ question: AzureUsageQuestion,
    subscriptions: [String]
  ) async throws -> Reply {
    try await requireClosed(question.windows)
    let page = try await page(
      ListUsageRequest(
        caller: request.caller, windows: question.windows, granularity: question.granularity,
        subscriptions: subscriptions, pageToken: question.continuationToken,
        withoutResources: !question.showsDetails))
    let caller = request.pathValue
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in
          for aggregate in page.aggregates {
            writer.azureRow(aggregate, caller: caller, showsDetails: question.showsDetails)
          }
        })
      // Absent on the last page: one client takes an empty one for the first page.
      if !page.nextPageToken.isEmpty {
        writer.member(
          "nextLink",
          string: links.next(
            request, parameters, token: page.nextPageToken, as: "continuationToken"))
      }
    }
  }

  /// A page of exactly `azurePageRows` wherever there are so many rows: query ends a page early where its rows are
  /// long, and Azure's clients count on the number.
  private func page(_ request: ListUsageRequest) async throws -> ListUsageResponse {
    var request = request
    var page = ListUsageResponse(aggregates: [], nextPageToken: "")
    for _ in 0..<GatewayLimits.azurePagePartsMax {
      request.pageSize = UInt32(GatewayLimits.azurePageRows - page.aggregates.count)
      let part = try await part(request)
      page.aggregates += part.aggregates
      page.nextPageToken = part.nextPageToken
      request.pageToken = part.nextPageToken
      if part.nextPageToken.isEmpty || page.aggregates.count == GatewayLimits.azurePageRows {
        break
      }
    }
    return page
  }

  private func part(_ request: ListUsageRequest) async throws -> ListUsageResponse {
    do {
      return try await query.listUsage(request)
    } catch {
      switch error.code {
      case .notFound:
        throw HTTPProblem.subscriptionNotFound(request.subscriptions.first ?? "")
      // Whatever else could be wrong was looked at here.
      case .invalidArgument where !request.pageToken.isEmpty:
        throw HTTPProblem.invalid(
          "continuationToken",
          "was not given to this caller for this question; leave it out to begin anew")
      default: throw error
      }
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
}
