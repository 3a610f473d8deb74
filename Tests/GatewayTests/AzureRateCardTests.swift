import StackmeterCore
import StackmeterTesting
import Testing

@testable import GatewayServer

/// Azure's rate card, at a real socket.
@Suite(.timeLimit(.minutes(1))) struct AzureRateCardTests {
  private static let path =
    "/subscriptions/\(RunningGateway.subscription)/providers/Microsoft.Commerce/RateCard?api-version=2015-06-01-preview"

  private func get(
    _ gateway: RunningGateway, _ filter: String?
  ) async throws -> HTTPAnswer {
    let encoded = filter.map { "&$filter=" + $0.replacing(" ", with: "%20") } ?? ""
    return try await gateway.getAsTenant(Self.path + encoded)
  }

  @Test func `the answer has Azure's members, and prices with all their digits`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.meters = [
          Meter(
            id: "tiered", name: "In the catalog", unit: "Hours", category: "Compute",
            resourceProvider: "r", aggregation: .sum, isBillable: true)
        ]
      }
      let answer = try await get(
        gateway,
        "OfferDurableId eq 'MS-AZR-0003P' and Currency eq 'EUR' and Locale eq 'en-US' and RegionInfo eq 'DE'"
      )
      #expect(answer.status == 200)
      #expect(
        answer.text == """
          {"OfferTerms":[{"Name":"Monetary Commitment","EffectiveDate":"2026-11-01T00:00:00Z",\
          "TieredDiscount":{"1000.00":12.5},"ExcludedMeterIds":[]}],\
          "Meters":[{"EffectiveDate":"2026-11-01T00:00:00Z","IncludedQuantity":50000.0,\
          "MeterCategory":"Compute","MeterId":"tiered","MeterName":"In the catalog",\
          "MeterRates":{"0":0.000000000000000001,"9.5":12345678901.123456789012},"MeterRegion":"",\
          "MeterSubCategory":"","MeterTags":[],"Unit":"Hours"},\
          {"EffectiveDate":"2026-11-01T00:00:00Z","IncludedQuantity":0.0,"MeterCategory":"",\
          "MeterId":"started","MeterName":"","MeterRates":{"0":2.0},"MeterRegion":"west",\
          "MeterSubCategory":"","MeterTags":["Volume","Started"],"Unit":"10000 GB"}],\
          "Currency":"EUR","Locale":"en-US","IsTaxIncluded":false}
          """)
    }
  }

  @Test(arguments: [
    nil, "", "x", "OfferDurableId eq 'MS-AZR-0003P'",
    "OfferDurableId eq 'MS-AZR-0003P' and Currency eq 'EUR' and Locale eq 'en-US'",
    "OfferDurableId eq 'MS-AZR-3P' and Currency eq 'EUR' and Locale eq 'en-US' and RegionInfo eq 'DE'",
    "OfferDurableId eq 'MS-AZR-0003P' and Currency eq 'USD' and Locale eq 'en-US' and RegionInfo eq 'DE'",
    "OfferDurableId eq 'MS-AZR-0003P' or Currency eq 'EUR' and Locale eq 'en-US' and RegionInfo eq 'DE'",
    "OfferDurableId eq 'MS-AZR-0003P' and Currency ne 'EUR' and Locale eq 'en-US' and RegionInfo eq 'DE'",
    "OfferDurableId eq 'MS-AZR-0003P' and Currency eq EUR and Locale eq 'en-US' and RegionInfo eq 'DE'",
    "Currency eq 'EUR' and Currency eq 'EUR' and Locale eq 'en-US' and RegionInfo eq 'DE'",
    "OfferDurableId eq 'MS-AZR-0003P' and Currency eq 'EUR' and Locale eq '' and RegionInfo eq 'DE'",
    "OfferDurableId eq 'MS-AZR-0003P' and Currency eq 'EUR' and Locale eq 'en-US' and RegionInfo eq 'DE' and",
  ])
  func `a filter that does not say what is asked is refused, and named`(filter: String?)
    async throws
  {
    try await withGateway { gateway in
      let answer = try await get(gateway, filter)
      #expect(answer.status == 400)
      #expect(answer.text.contains("$filter"), "\(answer.text)")
    }
  }

  @Test(arguments: [
    "regioninfo EQ 'de' AND locale eq 'de-DE' and currency eq 'eur' and offerdurableid eq 'ms-azr-0003p-0044p'",
    "OfferDurableId  eq  'MS-AZR-0003P' and Currency eq 'EUR' and Locale eq 'x y' and RegionInfo eq 'US'",
  ])
  func `names come in any order and case`(filter: String) async throws {
    try await withGateway { gateway in
      let answer = try await get(gateway, filter)
      #expect(answer.status == 200)
    }
  }
}
