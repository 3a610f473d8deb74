package import StackmeterStore

/// What an aggregator needs to write what bills are made of.
package struct BillingConfiguration: Sendable {
  /// The name of the rate card that usage is priced by.
  package var card: String
  /// Opens the usage database to read.
  package var open: @Sendable () throws(StoreError) -> any UsageReader

  package init(card: String, open: @escaping @Sendable () throws(StoreError) -> any UsageReader) {
    self.card = card
    self.open = open
  }
}
