internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore

/// Everything that is answered as Azure Stack would, and under which paths.
struct AzureAnswers: Sendable {
  let usage: AzureUsage
  let subscriptions: AzureSubscriptions
  let metadata: AzureMetadata

  init(
    query: QueryClient, clock: any WallClock, fallbackAuthority: String, tokens: TokenRules? = nil
  ) {
    let links = AzureLinks(fallbackAuthority: fallbackAuthority)
    usage = AzureUsage(query: query, clock: clock, links: links)
    subscriptions = AzureSubscriptions(query: query, links: links)
    metadata = AzureMetadata(links: links, tokens: tokens)
  }

  var routes: [Route] {
    let tenant = "/subscriptions/{id}/providers/Microsoft.Commerce"
    let provider = "/subscriptions/{id}/providers/Microsoft.Commerce.Admin"
    return [
      Route(.get, "/metadata/endpoints", .anyone, audit: .never, metadata.endpoints),
      Route(.get, "/subscriptions", .caller, subscriptions.list),
      Route(.get, "/subscriptions/{id}", .caller, subscriptions.show),
      Route(
        .get, "/providers/Microsoft.Commerce.Admin/operations", .caller, audit: .never,
        metadata.operations),
      Route(
        .get, "/providers/Microsoft.Commerce/operations", .caller, audit: .never,
        metadata.operations),
      Route(.post, "\(provider)/updateEncryption", .operatorOnly, metadata.updateEncryption),
      Route(.get, "\(tenant)/UsageAggregates", .caller, usage.tenant),
      Route(.get, "\(provider)/subscriberUsageAggregates", .provider, usage.provider),
    ] + olderProviderPaths.map { Route(.get, $0, .provider, usage.provider) }
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
