internal import CStackmeterSupport
package import StackmeterCore

/// One record of a log: a frame of 32 bytes and a payload. See README.md for the bytes.
package struct Record: Sendable {
  package enum Kind: UInt8, Sendable {
    /// Accepted events; the payload is an `EventBatch`.
    case batch = 1
    /// Time has passed: everything later is reported later than this. No payload.
    case tick = 2
    /// A refused event; the payload is a `Refusal` and an `EventBatch` of one.
    case refusal = 3
    /// Everything in front of it was durable when it was written: damage there is no torn end. It has the
    /// time of the record in front of it. No payload.
    case mark = 4
    /// A correction that took effect; the payload has what was declared and the events that count from then on.
    case correction = 5
    /// A correction whose target is not known; the payload is what was declared.
    case parked = 6
    /// Parked corrections that were refused in the end. Takes no position.
    case unparked = 7
    /// A source has said how far its usage is reported. Takes no position.
    case heartbeat = 8
    /// Entries of the quarantine were redriven or discarded; the payload says which and how. Takes no position.
    case resolution = 16
  }

  package static let frameBytes = 32
  /// More than the largest batch of one call can take.
  package static let payloadBytesMax = 16 << 20
  static let version: UInt8 = 1

  package let kind: Kind
  /// How many positions it takes: one for each event.
  package let count: UInt32
  package let firstPosition: UInt64
  /// Of the first event; each further one is a nanosecond later.
  package let firstTime: Instant
  package let payload: ArraySlice<UInt8>
  /// It was the first of its commit, so all before it was durable when it was written. Set by `write`.
  package let startsCommit: Bool

  package var nextPosition: UInt64 { firstPosition + UInt64(count) }
  /// The time of the last event, or of the tick or the mark.
  package var lastTime: Instant {
    Instant(nanoseconds: firstTime.nanoseconds + Int64(max(count, 1)) - 1)
  }
  package var byteCount: Int { Record.frameBytes + payload.count }

  package init(
    kind: Kind, count: UInt32, firstPosition: UInt64, firstTime: Instant, payload: [UInt8]
  ) {
    precondition(payload.count <= Record.payloadBytesMax, "a payload has a limit")
    self.kind = kind
    self.count = count
    self.firstPosition = firstPosition
    self.firstTime = firstTime
    self.payload = payload[...]
    startsCommit = false
  }

  private static let startsCommitFlag: UInt16 = 1

  /// Appends frame and payload, as a record of the log `id`.
  package func write(to bytes: inout [UInt8], of id: LogID, startsCommit: Bool) {
    let start = bytes.count
    var frame = ByteWriter()
    frame.number(UInt32(payload.count))
    frame.number(UInt32(0))
    frame.number(kind.rawValue)
    frame.number(Record.version)
    frame.number(startsCommit ? Record.startsCommitFlag : 0)
    frame.number(count)
    frame.number(firstPosition)
    frame.number(firstTime.nanoseconds)
    bytes.append(contentsOf: frame.bytes)
    bytes.append(contentsOf: payload)
    let checksum = Record.checksum(bytes[(start + 8)...], seed: id.seed)
    withUnsafeBytes(of: checksum.littleEndian) {
      bytes.replaceSubrange(start + 4..<start + 8, with: $0)
    }
  }

  /// The bytes of the record that begins with this frame, or with a part of it; at most those of the largest record,
  /// also where the frame is damaged.
  static func byteCount(frame bytes: [UInt8]) -> Int {
    var reader = ByteReader(bytes[...])
    let length = reader.number(UInt32.self).map { Int($0) } ?? payloadBytesMax
    return frameBytes + min(length, payloadBytesMax)
  }

  static func checksum(_ bytes: ArraySlice<UInt8>, seed: UInt32) -> UInt32 {
    bytes.withUnsafeBytes { checksum($0, seed: seed) }
  }

  static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
    bytes.baseAddress.map { stackmeter_crc32c(seed, $0, bytes.count) } ?? seed
  }

  /// What stands at the start of some bytes.
  package enum Parsed {
    case record(Record)
    /// The bytes end before the record does.
    case incomplete
    case damaged(String)
    /// Whole, but of a form that this version does not know.
    case unsupported(String)
  }

  /// Reads the record of the log `id` at the start of `bytes`, and checks it whole.
  package static func parse(_ bytes: ArraySlice<UInt8>, of id: LogID) -> Parsed {
    var reader = ByteReader(bytes)
    guard let length = reader.number(UInt32.self), let checksum = reader.number(UInt32.self),
      let kindCode = reader.number(UInt8.self), let version = reader.number(UInt8.self),
      let flags = reader.number(UInt16.self), let count = reader.number(UInt32.self),
      let firstPosition = reader.number(UInt64.self), let firstTime = reader.number(Int64.self)
    else { return .incomplete }
    guard length <= payloadBytesMax else { return .damaged("a length of \(length) bytes") }
    guard let payload = reader.slice(Int(length)) else { return .incomplete }
    let covered = bytes[(bytes.startIndex + 8)..<payload.endIndex]
    guard checksum == Record.checksum(covered, seed: id.seed) else {
      return .damaged("checksum mismatch")
    }
    guard version == Record.version, flags <= startsCommitFlag,
      let kind = Kind(rawValue: kindCode),
      firstPosition <= UInt64.max - UInt64(count), firstTime <= Int64.max - Int64(count)
    else {
      return .unsupported(
        "a whole record of kind \(kindCode) and version \(version) with flags \(flags), "
          + "which this program does not know")
    }
    return .record(
      Record(
        parsedKind: kind, count: count, firstPosition: firstPosition,
        firstTime: Instant(nanoseconds: firstTime), payload: payload,
        startsCommit: flags == startsCommitFlag))
  }

  private init(
    parsedKind kind: Kind, count: UInt32, firstPosition: UInt64, firstTime: Instant,
    payload: ArraySlice<UInt8>, startsCommit: Bool
  ) {
    self.kind = kind
    self.count = count
    self.firstPosition = firstPosition
    self.firstTime = firstTime
    self.payload = payload
    self.startsCommit = startsCommit
  }
}

extension Record {
  /// The whole records of the log `id` at the start of `bytes`; ends before the first that is not.
  package static func all(in bytes: [UInt8], of id: LogID) -> [Record] {
    var records: [Record] = []
    var position = 0
    while position < bytes.count, case .record(let record) = parse(bytes[position...], of: id) {
      records.append(record)
      position += record.byteCount
    }
    return records
  }
}
