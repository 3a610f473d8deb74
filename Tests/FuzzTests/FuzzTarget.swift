import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire

/// What is fed with bytes of any kind. Each target ends in a value or an error of its module, and stops the
/// program where something holds that must not.
enum FuzzTarget: String, CaseIterable, Sendable {
  /// A request of any service; the first byte says which.
  case request
  /// The columns of `ReportStream`.
  case batch
  /// A frame of the journal, and the payload of one whose checksum is right.
  case record
  /// A log whose files were changed as the bytes say.
  case recovery
  /// A body of `POST /v1/events`.
  case cloudEvent = "cloud-event"

  func run(_ bytes: [UInt8]) {
    switch self {
    case .request: FuzzTarget.request(bytes)
    case .batch: FuzzTarget.settle(NumberedBatch.self, bytes)
    case .record: FuzzTarget.record(bytes)
    case .recovery: RecoveryFuzz.run(bytes)
    case .cloudEvent: FuzzTarget.cloudEvent(bytes)
    }
  }

  /// Every message that a service takes from a peer.
  static let requests: [any (WireMessage & Hashable).Type] = [
    ReportRequest.self, NumberedBatch.self, ReadJournalRequest.self, ListQuarantineRequest.self,
    GetStatusRequest.self, ListUsageRequest.self, SummarizeRequest.self, ListMetersRequest.self,
    ListWindowsRequest.self, FindUsageRequest.self, ExplainRequest.self,
    ServerReflectionRequest.self, HealthCheckRequest.self,
    JournalChunk.self, BatchResult.self, ReportResponse.self,
  ]

  private static func request(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    settle(requests[Int(first) % requests.count], Array(bytes.dropFirst()))
  }

  /// What is taken can be sent on, and is the same from then on.
  private static func settle(_ type: any (WireMessage & Hashable).Type, _ bytes: [UInt8]) {
    func settle<Message: WireMessage & Hashable>(_ type: Message.Type) {
      guard let first = unpacked(type, bytes) else { return }
      let packed = first.packed()
      precondition(
        unpacked(type, packed)?.packed() == packed, "what was packed unpacks to the same bytes")
    }
    settle(type)
  }

  private static func unpacked<Message: WireMessage>(
    _ type: Message.Type, _ bytes: [UInt8]
  ) -> Message? {
    bytes.withUnsafeBytes { bytes in
      do throws(WireError) { return try Message(unpacking: bytes) } catch { return nil }
    }
  }

  private static func record(_ bytes: [UInt8]) {
    let id = LogID(rawValue: 0x0123_4567_89AB_CDEF)!
    for record in Record.all(in: bytes, of: id) { _ = record.quarantineEntry }
    _ = Record.parse(bytes[...], of: id)
    // A record around these bytes, so that the checksum does not keep them out.
    for kind in [Record.Kind.batch, .refusal] {
      let made = Record(
        kind: kind, count: 1, firstPosition: 1, firstTime: Instant(nanoseconds: 1),
        payload: bytes)
      var frame: [UInt8] = []
      made.write(to: &frame, of: id, startsCommit: true)
      guard case .record(let read) = Record.parse(frame[...], of: id) else {
        preconditionFailure("what was written is read")
      }
      precondition(read.payload.elementsEqual(bytes), "a payload stays as it is")
      _ = read.quarantineEntry
    }
    guard let batch = EventBatch(journalPayload: bytes[...]) else { return }
    for event in 0..<batch.count { _ = batch.event(event) }
    precondition(
      EventBatch(journalPayload: batch.journalPayload()[...]) == batch,
      "a batch that was read is written and read again")
  }

  private static func cloudEvent(_ bytes: [UInt8]) {
    guard let value = try? JSONValue(parsing: bytes, limits: .batch) else { return }
    for element in value.array ?? [value] { _ = try? UsageEvent(cloudEvent: element) }
  }
}
