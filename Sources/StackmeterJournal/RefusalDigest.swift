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
    writer.number(reason.rawValue)
    event.write(to: &writer)
    (low, high) = withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 4) { words in
      words[0] = key.0
      words[1] = key.1
      writer.bytes.withUnsafeBytes {
        stackmeter_siphash128(words.baseAddress!, $0.baseAddress, $0.count, words.baseAddress! + 2)
      }
      return (words[2], words[3])
    }
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(low) }
}
