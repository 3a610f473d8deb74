import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct HeartbeatJournalTests {
  private let heartbeat = Heartbeat(
    source: "vm", cadenceSeconds: 258, completeUntil: Instant(nanoseconds: 772))

  @Test func `a heartbeat has these bytes and takes no position`() throws {
    let record = Record(heartbeat, position: 9, time: Instant(nanoseconds: 1000))
    #expect(
      Array(record.payload) == [2, 0, 0x76, 0x6D, 2, 1, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0])
    #expect(record.kind.rawValue == 8 && record.count == 0 && record.nextPosition == 9)
    #expect(record.countedEvents == nil && record.declaredEvent(at: 9) == nil)
    var bytes: [UInt8] = []
    record.write(to: &bytes, of: TestLog.id, startsCommit: false)
    #expect(Record.all(in: bytes, of: TestLog.id).map(\.heartbeat) == [heartbeat])
    let longest = Heartbeat(
      source: String(repeating: "s", count: EventLimits.sourceBytesMax), cadenceSeconds: .max,
      completeUntil: Instant(nanoseconds: .max))
    let most = Record(longest, position: 1, time: Instant(nanoseconds: 1))
    #expect(most.heartbeat == longest && most.byteCount == Record.heartbeatBytesMax)
  }

  @Test func `no shorter or longer payload is a heartbeat, and no other record is`() {
    let record = Record(heartbeat, position: 9, time: Instant(nanoseconds: 1000))
    func isRead(_ kind: Record.Kind, _ payload: [UInt8], count: UInt32 = 0) -> Bool {
      Record(
        kind: kind, count: count, firstPosition: 9, firstTime: Instant(nanoseconds: 1000),
        payload: payload
      ).heartbeat != nil
    }
    let payload = Array(record.payload)
    #expect(isRead(.heartbeat, payload))
    for count in payload.indices { #expect(!isRead(.heartbeat, Array(payload[..<count]))) }
    #expect(!isRead(.heartbeat, payload + [0]) && !isRead(.heartbeat, payload, count: 1))
    #expect(!isRead(.tick, payload) && !isRead(.unparked, payload))
  }

  /// A reader that was away goes on at a position; what has none stands in front of it, in a segment that is full.
  @Test(arguments: [false, true])
  func `from the first position of a segment it also reads what the one before ends with`(
    isSealed: Bool
  ) throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    func append(_ kind: Record.Kind, _ count: UInt32, _ bytes: Int) throws {
      log.append(
        Record(
          kind: kind, count: count, firstPosition: log.nextPosition,
          firstTime: log.lastTime.advanced(by: .nanoseconds(1)),
          payload: Array(repeating: 0, count: bytes)))
      try log.commit()
    }
    try append(.batch, 2, 100)
    try append(.heartbeat, 0, 20)
    try append(.batch, 1, 100)
    try #require(try SegmentFiles.firstPositions(disk, TestLog.directory) == [1, 3])
    if isSealed { try #require(try TestLog.seal(&log) == 1) }
    #expect(
      try TestLog.entries(disk, upTo: log.tail, from: 3).map(\.kind) == [.heartbeat, .batch])
    #expect(try TestLog.entries(disk, upTo: log.tail, from: 4).isEmpty)
  }
}
