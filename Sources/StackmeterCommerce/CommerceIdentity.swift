internal import Crypto
internal import StackmeterCore

/// The ids by which a commerce service knows records and batches again. The same usage has the same ids, whoever
/// makes them, however often and after whatever crash.
package enum CommerceIdentity {
  private static let recordPrefix = Array("r1-".utf8)
  private static let batchPrefix = Array("b1-".utf8)
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
    var id: [UInt8] = []
    Array(row).withUnsafeBytes { append(record: $0, revision: revision, to: &id) }
    return String(decoding: id, as: UTF8.self)
  }

  /// The same, where the row's id lies in other bytes.
  package static func append(
    record row: UnsafeRawBufferPointer, revision: UInt32, to id: inout [UInt8]
  ) {
    var hash = SHA256()
    hash.update(bufferPointer: row)
    withUnsafeBytes(of: revision.littleEndian) { hash.update(bufferPointer: $0) }
    append(recordPrefix, hash.finalize(), to: &id)
  }

  /// The id of a batch: of its records' ids in their order, each with `recordEnd` behind it.
  package static func batch(records: [UInt8]) -> String {
    var id: [UInt8] = []
    append(batchPrefix, SHA256.hash(data: records), to: &id)
    return String(decoding: id, as: UTF8.self)
  }

  /// What stands behind a record's id where a batch's id is made of it.
  package static let recordEnd: UInt8 = 0

  private static func append(_ prefix: [UInt8], _ digest: SHA256.Digest, to id: inout [UInt8]) {
    id.append(contentsOf: prefix)
    digest.withUnsafeBytes {
      appendHexadecimal(UnsafeRawBufferPointer(rebasing: $0.prefix(digestBytes)), to: &id)
    }
  }
}
