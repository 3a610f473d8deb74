internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `…/Microsoft.Commerce/RateCard`: what usage costs a subscription, in Azure's shape.
struct AzureRateCard: Sendable {
  /// Rates of one answer, which has no pages.
  static let ratesMax = 20_000

  let query: QueryClient
  let meters: MeterNames

  func show(_ request: GatewayRequest) async throws -> Reply {
    let parameters = try AzureParameters(request)
    let question = try AzureRateCardQuestion(try parameters.text("$filter"))
    let id = request.pathValue.asciiLowercased
    guard request.caller.maySee(id) else {
      throw HTTPProblem.subscriptionNotFound(request.pathValue)
    }
    var asked = ListRatesRequest(caller: request.caller, subscription: id)
    let first = try await query.listRates(asked)
    guard question.currency.asciiLowercased == first.currency.asciiLowercased else {
      throw HTTPProblem.invalid(
        "$filter", "Currency: the rate card is in \(first.currency), not in \(question.currency)")
    }
    var rates = first.rates
    asked.after = first.nextAfter
    while asked.after > 0 {
      guard rates.count < AzureRateCard.ratesMax else {
        throw HTTPProblem.invalid(
          "$filter",
          "the rate card has more than \(AzureRateCard.ratesMax) rates: see /v1/ratecards")
      }
      let page = try await query.listRates(asked)
      rates += page.rates
      asked.after = page.nextAfter
    }
    let catalog = try await meters.current()
    let effective = first.effective.start.description
    return Reply { writer in
      writer.member(
        "OfferTerms",
        array: { writer in
          if !first.commitment.isEmpty { writer.commitment(first, effective) }
        })
      writer.member(
        "Meters",
        array: { writer in
          for rate in rates {
            writer.meterRate(rate, catalog[rate.meter], effective)
          }
        })
      writer.member("Currency", string: first.currency)
      writer.member("Locale", string: question.locale)
      writer.member("IsTaxIncluded", false)
    }
  }
}

/// What `$filter` says: `OfferDurableId eq 'MS-AZR-0003P' and Currency eq 'EUR' and Locale eq 'en-US' and RegionInfo eq
/// 'DE'`. All four are needed, in any order and case; there is no other operator.
struct AzureRateCardQuestion: Hashable {
  let offer: String
  let currency: String
  let locale: String
  let region: String

  private static let names = ["OfferDurableId", "Currency", "Locale", "RegionInfo"]

  init(_ filter: String?) throws(HTTPProblem) {
    let example =
      "must be OfferDurableId eq 'MS-AZR-0003P' and Currency eq 'EUR' and Locale eq 'en-US' and RegionInfo eq 'DE'"
    guard let filter else { throw .invalid("$filter", "is needed; it \(example)") }
    var words = AzureRateCardQuestion.words(filter)[...]
    var values: [String: String] = [:]
    while true {
      guard words.count >= 3, let name = words.popFirst(), let operation = words.popFirst(),
        let value = words.popFirst(), operation.asciiLowercased == "eq", value.hasPrefix("'"),
        value.count >= 2, value.hasSuffix("'"),
        let known = AzureRateCardQuestion.names.first(where: {
          $0.asciiLowercased == name.asciiLowercased
        })
      else { throw .invalid("$filter", example) }
      guard values.updateValue(String(value.dropFirst().dropLast()), forKey: known) == nil else {
        throw .invalid("$filter", "\(known) stands more than once")
      }
      guard let and = words.popFirst() else { break }
      guard and.asciiLowercased == "and" else { throw .invalid("$filter", example) }
    }
    for name in AzureRateCardQuestion.names where values[name]?.isEmpty ?? true {
      throw .invalid("$filter", "\(name) is needed; it \(example)")
    }
    offer = values["OfferDurableId"] ?? ""
    currency = values["Currency"] ?? ""
    locale = values["Locale"] ?? ""
    region = values["RegionInfo"] ?? ""
    guard AzureRateCardQuestion.isOffer(offer) else {
      throw .invalid("$filter", "OfferDurableId must be one such as MS-AZR-0003P")
    }
    guard locale.utf8.count <= 32, region.utf8.count <= 32 else {
      throw .invalid("$filter", "Locale and RegionInfo have at most 32 bytes")
    }
  }

  /// Names, operators and texts in quotes, which may have spaces.
  private static func words(_ filter: String) -> [String] {
    var words: [String] = []
    var word = ""
    var isQuoted = false
    for character in filter {
      if character == "'" { isQuoted.toggle() }
      if character == " " && !isQuoted {
        if !word.isEmpty { words.append(word) }
        word = ""
      } else {
        word.append(character)
      }
    }
    return word.isEmpty ? words : words + [word]
  }

  /// `MS-AZR-` and groups of four digits and a P, in any case.
  private static func isOffer(_ text: String) -> Bool {
    let parts = text.asciiLowercased.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 3, parts[0] == "ms", parts[1] == "azr" else { return false }
    return parts[2...].allSatisfy { part in
      part.utf8.count == 5 && part.hasSuffix("p")
        && part.utf8.dropLast().allSatisfy { (0x30...0x39).contains($0) }
    }
  }
}

extension JSONWriter {
  fileprivate mutating func commitment(_ rates: ListRatesResponse, _ effective: String) {
    object { writer in
      writer.member("Name", string: "Monetary Commitment")
      writer.member("EffectiveDate", string: effective)
      writer.member(
        "TieredDiscount",
        object: { writer in
          writer.member(rates.commitment, raw: decimal(rates.commitmentDiscount))
        })
      writer.member("ExcludedMeterIds", array: { _ in })
    }
  }

  /// Prices and quantities are JSON numbers with all their digits.
  fileprivate mutating func meterRate(_ rate: MeterRate, _ meter: Meter?, _ effective: String) {
    object { writer in
      writer.member("EffectiveDate", string: effective)
      writer.member("IncludedQuantity", raw: decimal(rate.included))
      writer.member("MeterCategory", string: meter?.category ?? "")
      writer.member("MeterId", string: meter?.id ?? rate.meter)
      writer.member("MeterName", string: meter?.name ?? rate.name)
      writer.member(
        "MeterRates",
        object: { writer in
          for (from, price) in zip(rate.from, rate.prices) {
            writer.member(from, raw: decimal(price))
          }
        })
      writer.member("MeterRegion", string: rate.location)
      writer.member("MeterSubCategory", string: "")
      writer.member(
        "MeterTags",
        array: { writer in
          // What Azure's shape has no place for.
          if rate.isVolume { writer.string("Volume") }
          if !rate.startedPackage.isEmpty { writer.string("Started") }
        })
      let unit = meter?.unit ?? rate.unit
      writer.member(
        "Unit", string: rate.startedPackage.isEmpty ? unit : "\(rate.startedPackage) \(unit)")
    }
  }
}

/// A whole number has a fraction, too, as Azure writes them.
private func decimal(_ text: String) -> String {
  text.contains(".") ? text : text + ".0"
}
