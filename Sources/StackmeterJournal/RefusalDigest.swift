internal import CStackmeterSupport
package import StackmeterCore

/// Stands for a refused event and its reason in 128 bits: the same for the same, and under a key that nobody
/// who only reports knows, so that no event can be made to pass for another.
package struct RefusalDigest: Hashable, Sendable {
  private let low: UInt64
  private let high: UInt64

  /// Of the one event of `event`, as it is kept.
  package init(_ reason: Refusal.Reason, _ event: EventBatch, key: (UInt64, UInt64)) {
    var writer = ByteWriter()
    event.writeSingle(to: &writer)
    self.init(reason.rawValue, writer.bytes[...], key: key)
  }

  /// Of a refusal that was kept; nil where the record is of another kind or form.
  package init?(_ record: Record, key: (UInt64, UInt64)) {
    guard record.kind == .refusal else { return nil }
    var reader = ByteReader(record.payload)
    guard let reason = reader.number(UInt8.self), reader.skipText(), reader.skipText() else {
      return nil
    }
    self.init(reason, record.payload[reader.position...], key: key)
  }

  private init(_ reason: UInt8, _ event: ArraySlice<UInt8>, key: (UInt64, UInt64)) {
    (low, high) = withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 4) { words in
      words[0] = key.0 ^ UInt64(reason)
      words[1] = key.1
      event.withUnsafeBytes {
        stackmeter_siphash128(words.baseAddress!, $0.baseAddress, $0.count, words.baseAddress! + 2)
      }
      return (words[2], words[3])
    }
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(low) }
}
