internal import CStackmeterSupport

/// Which log a segment and its records belong to: 64 bits that were drawn when the log was made, never 0.
///
/// Every record's checksum begins with it. So a record of another log is no record here, and nobody who only
/// reports can choose bytes that look like one.
package struct LogID: Hashable, Sendable, CustomStringConvertible {
  package let rawValue: UInt64
  /// The CRC-32C of the id, which every record's checksum goes on from.
  let seed: UInt32

  /// Nil for 0, which means that there is none.
  package init?(rawValue: UInt64) {
    guard rawValue != 0 else { return nil }
    self.rawValue = rawValue
    seed = withUnsafeBytes(of: rawValue.littleEndian) {
      stackmeter_crc32c(0, $0.baseAddress!, $0.count)
    }
  }

  package static func random(using random: inout some RandomNumberGenerator) -> LogID {
    LogID(rawValue: .random(in: 1 ... .max, using: &random))!
  }

  /// The upper half in eight hexadecimal digits. Status texts go to reporters, and the lower half is enough to
  /// keep the seed from them.
  package var description: String {
    let digits = String(rawValue >> 32, radix: 16)
    return String(repeating: "0", count: 8 - digits.utf8.count) + digits
  }
}
