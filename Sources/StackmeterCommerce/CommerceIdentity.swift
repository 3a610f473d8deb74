internal import Crypto
internal import StackmeterCore

/// The ids by which a commerce service knows records and batches again. The same usage has the same ids, whoever
/// makes them, however often and after whatever crash.
package enum CommerceIdentity {
  private static let recordPrefix = "r1-"
  private static let batchPrefix = "b1-"
  /// How many bytes of a SHA-256 an id has.
  private static let digestBytes = 16
  /// Bytes of an id.
  package static let idBytes = 3 + 2 * digestBytes

  /// The id of what one reporting window has of a series and usage hour.
  ///
  /// - Parameters:
  ///   - row: The id of the row in every export: cell and series, usage hour, reporting window.
  ///   - revision: 0 for what a closed window says, which never changes.
  package static func record(row: some Sequence<UInt8>, revision: UInt32) -> String {
    var content = Array(row)
    withUnsafeBytes(of: revision.littleEndian) { content.append(contentsOf: $0) }
    return recordPrefix + digest(of: content)
  }

  /// The id of a batch: of its records' ids in their order.
  package static func batch(records: [String]) -> String {
    var content: [UInt8] = []
    content.reserveCapacity(records.count * (idBytes + 1))
    for id in records {
      content.append(contentsOf: id.utf8)
      content.append(0)
    }
    return batchPrefix + digest(of: content)
  }

  private static func digest(of content: [UInt8]) -> String {
    SHA256.hash(data: content).withUnsafeBytes { hexadecimal($0.prefix(digestBytes)) }
  }
}
