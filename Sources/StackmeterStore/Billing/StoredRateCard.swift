internal import Crypto
package import StackmeterCore

/// One version of a rate card, as it was loaded.
package struct StoredRateCard: Hashable, Sendable {
  package let name: String
  package let version: Int64
  /// The first day of UTC on which it holds.
  package let effective: Day
  /// ISO 4217.
  package let currency: String
  /// SHA-256 of the text.
  package let hash: [UInt8]
  package let byteCount: Int64

  package init(
    name: String, version: Int64, effective: Day, currency: String, hash: [UInt8], byteCount: Int64
  ) {
    self.name = name
    self.version = version
    self.effective = effective
    self.currency = currency
    self.hash = hash
    self.byteCount = byteCount
  }

  /// One with this text.
  package init(
    name: String, version: Int64, effective: Day, currency: String, text: [UInt8]
  ) {
    self.init(
      name: name, version: version, effective: effective, currency: currency,
      hash: Array(SHA256.hash(data: text)), byteCount: Int64(text.count))
  }
}
