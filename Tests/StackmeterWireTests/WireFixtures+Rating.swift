import StackmeterCore
import StackmeterWire

extension WireFixture {
  static let rating = [
    WireFixture(
      "stackmeter.v1.ListRateCardsRequest",
      [
        ListRateCardsRequest(caller: .operator),
        ListRateCardsRequest(caller: .tenant(subscriptions: ["a"]), name: "standard"),
      ]),
    WireFixture(
      "stackmeter.v1.ListRateCardsResponse",
      [
        ListRateCardsResponse(versions: [], inForce: ""),
        ListRateCardsResponse(versions: RateCardVersion.several, inForce: "standard"),
      ]),
    WireFixture(
      "stackmeter.v1.GetRateCardRequest",
      [
        GetRateCardRequest(caller: .operator),
        GetRateCardRequest(caller: .provider("p"), name: "standard", version: .max),
      ]),
    WireFixture(
      "stackmeter.v1.GetRateCardResponse",
      RateCardVersion.several.map { GetRateCardResponse(version: $0, text: [0, 255, 10]) }),
    WireFixture(
      "stackmeter.v1.ApplyRateCardRequest",
      [
        ApplyRateCardRequest(text: []),
        ApplyRateCardRequest(text: [0xEF, 0, 255, 10], isDryRun: true),
      ]),
    WireFixture(
      "stackmeter.v1.ApplyRateCardResponse", [ApplyRateCardResponse(), .problems, .applied]),
  ]
}

extension RateCardVersion {
  fileprivate static let several = [
    RateCardVersion(
      name: "", version: 0, effective: Day(index: 0), currency: "", hash: [], byteCount: 0),
    RateCardVersion(
      name: "stàndard", version: .max, effective: Day(index: -20_000), currency: "EUR",
      hash: [UInt8](repeating: 255, count: 32), byteCount: .max),
  ]
}

extension ApplyRateCardResponse {
  fileprivate static let problems = {
    var response = ApplyRateCardResponse()
    response.problems = [
      Problem(message: ""), Problem(line: 3, column: .max, message: "no such meter"),
    ]
    response.inForce = "standard"
    return response
  }()

  fileprivate static let applied = {
    var response = ApplyRateCardResponse()
    response.isApplied = true
    response.isKnown = true
    response.version = RateCardVersion.several[1]
    response.changes = ["a", "", "ü"]
    response.unpricedMeters = ["m"]
    return response
  }()
}
