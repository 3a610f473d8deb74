internal import StackmeterBilling
package import StackmeterCore
internal import StackmeterStore
package import StackmeterWire
internal import Synchronization

/// Answers every question about what usage costs, within what its caller may see.
package final class Rating: Sendable {
  let query: Query
  /// The name of the card that usage is priced by.
  let card: String
  let clock: any WallClock
  let tokens: ChargeTokens
  let focusTokens: FocusTokens
  let limits: BillsLimits
  /// The operator, by the name that finance knows; empty for none.
  let issuer: String
  /// The versions as they were read last.
  private let known = Mutex<RateCards?>(nil)
  let chargeRows = ChargeRowsMemory()
  let focusPauses = FocusPauses()

  /// `tokenKey` proves page tokens, as `Query` has it.
  package init(
    _ query: Query, card: String, issuer: String = "", tokenKey: [UInt8], clock: any WallClock,
    limits: BillsLimits = BillsLimits()
  ) {
    self.limits = limits
    tokens = ChargeTokens(key: tokenKey)
    focusTokens = FocusTokens(key: tokenKey)
    self.issuer = issuer
    self.query = query
    self.card = card
    self.clock = clock
  }

  /// The versions of the card that usage is priced by, read anew only where one was added.
  func rateCards(_ reader: any UsageReader) throws(StoreError) -> RateCards? {
    let cards = try RateCards(card, reader, known: known.withLock { $0 })
    known.withLock { $0 = cards }
    return cards
  }

  package func listRateCards(
    _ request: ListRateCardsRequest
  ) async throws(QueryError) -> ListRateCardsResponse {
    try Rating.requireOperator(request.caller)
    let versions = try await query.readers.read { (reader) throws(StoreError) in
      try reader.rateCards(named: request.name.isEmpty ? nil : request.name)
    }
    return ListRateCardsResponse(versions: versions.map(RateCardVersion.init), inForce: card)
  }

  package func rateCard(
    _ request: GetRateCardRequest
  ) async throws(QueryError) -> GetRateCardResponse {
    try Rating.requireOperator(request.caller)
    let name = request.name.isEmpty ? card : request.name
    let today = clock.now().hour.day
    let found = try await query.readers.read {
      (reader) throws(StoreError) -> (StoredRateCard, [UInt8])? in
      let versions = try reader.rateCards(named: name)
      let version =
        request.version == 0
        ? versions.last { $0.effective <= today } ?? versions.first
        : versions.first { $0.version == request.version }
      guard let version, let text = try reader.rateCardText(name, version.version) else {
        return nil
      }
      return (version, text)
    }
    guard let (version, text) = found else {
      let wanted = request.version == 0 ? "" : " \(request.version)"
      throw .missing("there is no rate card \(name)\(wanted); see stackmeter rates list")
    }
    return GetRateCardResponse(version: RateCardVersion(version), text: text)
  }

  /// A card names its groups' members.
  private static func requireOperator(_ caller: Caller) throws(QueryError) {
    guard caller == .operator else { throw .forbidden("only operators may see rate cards") }
  }
}

extension RateCardVersion {
  init(_ stored: StoredRateCard) {
    self.init(
      name: stored.name, version: UInt32(clamping: stored.version), effective: stored.effective,
      currency: stored.currency, hash: stored.hash, byteCount: UInt64(stored.byteCount))
  }
}
