internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore

/// Everything that is answered as Azure Stack would, and under which paths.
struct AzureAnswers: Sendable {
  let usage: AzureUsage
  let rateCard: AzureRateCard
  let subscriptions: AzureSubscriptions
  let metadata: AzureMetadata

  init(
    query: QueryClient, meters: MeterNames, clock: any WallClock, fallbackAuthority: String,
    tokens: TokenRules? = nil
  ) {
    let links = GatewayLinks(fallbackAuthority: fallbackAuthority)
    usage = AzureUsage(query: query, clock: clock, links: links)
    rateCard = AzureRateCard(query: query, meters: meters)
    subscriptions = AzureSubscriptions(query: query, links: links)
    metadata = AzureMetadata(links: links, tokens: tokens)
  }

  var routes: [Route] {
    let tenant = "/subscriptions/{id}/providers/Microsoft.Commerce"
    let provider = "/subscriptions/{id}/providers/Microsoft.Commerce.Admin"
    return [
      Route(.get, "/metadata/endpoints", .anyone, .azureEndpoints, metadata.endpoints).unaudited,
      Route(.get, "/subscriptions", .caller, .azureSubscriptions, subscriptions.list),
      Route(.get, "/subscriptions/{id}", .caller, .azureSubscription, subscriptions.show),
      Route(
        .get, "/providers/Microsoft.Commerce.Admin/operations", .caller, .azureOperations("Admin"),
        metadata.operations
      ).unaudited,
      Route(
        .get, "/providers/Microsoft.Commerce/operations", .caller, .azureOperations(),
        metadata.operations
      ).unaudited,
      Route(
        .post, "\(provider)/updateEncryption", .operatorOnly, .azureEncryption,
        metadata.updateEncryption),
      Route(.get, "\(tenant)/UsageAggregates", .caller, .azureTenant, usage.tenant),
      Route(.get, "\(tenant)/RateCard", .caller, .azureRateCard, rateCard.show),
      Route(
        .get, "\(provider)/subscriberUsageAggregates", .provider, .azureProvider(),
        usage.provider),
    ]
      + olderProviderPaths.enumerated().map { number, path in
        Route(.get, path, .provider, .azureProvider("Older\(number)"), usage.provider)
      }
  }

  /// Those of clients from before 2018, and of Get-AzureRmResource.
  private var olderProviderPaths: [PathPattern] {
    let providers = ["Microsoft.Commerce", "Microsoft.Commerce.Admin"].map {
      "/subscriptions/{id}/providers/\($0)"
    }
    return ["\(providers[0])/subscriberUsageAggregates"]
      + providers.flatMap { provider -> [PathPattern] in
        [
          "\(provider)/locations/subscriberUsageAggregates",
          "\(provider)/locations/{location}/subscriberUsageAggregates",
        ]
      }
  }
}
