package import CStackmeterProto

/// `Collector.ConfirmApplied`: up to where the aggregator has applied the journal, durably.
package struct ConfirmAppliedRequest: WireMessage, Hashable {
  /// Every event before it is applied.
  package var position: UInt64
  package var journalID: UInt64

  package init(position: UInt64, journalID: UInt64) {
    self.position = position
    self.journalID = journalID
  }

  package init(wire raw: borrowing Stackmeter__V1__ConfirmAppliedRequest) {
    position = raw.position
    journalID = raw.journal_id
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ConfirmAppliedRequest, _ packer: borrowing Packer
  ) {
    raw.position = position
    raw.journal_id = journalID
  }
}

package struct ConfirmAppliedResponse: WireMessage, Hashable {
  package init() {}
  package init(wire raw: borrowing Stackmeter__V1__ConfirmAppliedResponse) {}
  package func fill(
    _ raw: inout Stackmeter__V1__ConfirmAppliedResponse, _ packer: borrowing Packer
  ) {}
}
