internal import Logging
internal import StackmeterBilling
internal import StackmeterStore
package import StackmeterWire

/// Adding versions of rate cards. What is wrong with one is an answer, and changes nothing.
extension Aggregator {
  package func apply(
    _ request: ApplyRateCardRequest
  ) throws(BillingError) -> ApplyRateCardResponse {
    guard request.text.count <= ApplyRateCardRequest.textBytesMax else {
      throw .invalid(
        field: "text",
        problem: "at most \(ApplyRateCardRequest.textBytesMax) bytes: divide the card into several")
    }
    guard let billing = configuration.billing else { throw .notOpen }
    do throws(StoreError) {
      let proposal = try RateCardProposal(
        request.text, catalog: counter.catalog, try billing.open())
      var response = ApplyRateCardResponse(proposal)
      response.inForce = billing.card
      if case .new(let stored, _) = proposal.verdict, !request.isDryRun {
        try counter.store.put(rateCard: stored, text: request.text)
        response.isApplied = true
        noteApplied(stored)
      }
      return response
    } catch {
      throw .store(error)
    }
  }
}

extension ApplyRateCardResponse {
  fileprivate init(_ proposal: RateCardProposal) {
    self.init()
    switch proposal.verdict {
    case .refused(let complaints):
      problems = complaints.prefix(ApplyRateCardResponse.listedMax).map {
        Problem(line: UInt32($0.line), column: UInt32($0.column), message: $0.message)
      }
      return
    case .known(let stored):
      isKnown = true
      version = RateCardVersion(stored)
    case .new(let stored, _):
      version = RateCardVersion(stored)
      changes = Array(proposal.changes.prefix(ApplyRateCardResponse.listedMax))
    }
    unpricedMeters = Array(proposal.unpriced.prefix(ApplyRateCardResponse.listedMax))
  }
}

extension RateCardVersion {
  fileprivate init(_ stored: StoredRateCard) {
    self.init(
      name: stored.name, version: UInt32(clamping: stored.version), effective: stored.effective,
      currency: stored.currency, hash: stored.hash, byteCount: UInt64(stored.byteCount))
  }
}
