import StackmeterCore
import Testing

@testable import StackmeterJournal

@Suite struct RecordTests {
  private func bytes(startsCommit: Bool = true) -> [UInt8] {
    var bytes: [UInt8] = []
    Record(
      kind: .batch, count: 3, firstPosition: 0x0102_0304, firstTime: Instant(nanoseconds: 5),
      payload: [0xAA, 0xBB, 0xCC]
    ).write(to: &bytes, of: TestLog.id, startsCommit: startsCommit)
    return bytes
  }

  @Test func `the bytes of a record are those of the documentation`() {
    let frame: [UInt8] = [
      3, 0, 0, 0, 0x2A, 0x55, 0xFB, 0xEC, 1, 1, 1, 0, 3, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 5, 0, 0,
      0, 0, 0, 0, 0, 0xAA, 0xBB, 0xCC,
    ]
    #expect(bytes() == frame)
  }

  @Test(arguments: [false, true])
  func `a record is read back as it was written`(startsCommit: Bool) throws {
    guard
      case .record(let record) = Record.parse(
        bytes(startsCommit: startsCommit)[...], of: TestLog.id)
    else {
      Issue.record("it is not read")
      return
    }
    #expect(record.kind == .batch && record.count == 3)
    #expect(record.firstPosition == 0x0102_0304 && record.nextPosition == 0x0102_0307)
    #expect(record.firstTime.nanoseconds == 5 && record.lastTime.nanoseconds == 7)
    #expect(Array(record.payload) == [0xAA, 0xBB, 0xCC])
    #expect(record.startsCommit == startsCommit && record.byteCount == 35)
  }

  @Test func `every shorter piece of a record is incomplete`() {
    let whole = bytes()
    for count in 0..<whole.count {
      guard case .incomplete = Record.parse(whole[..<count], of: TestLog.id) else {
        Issue.record("\(count) bytes are not said to be incomplete")
        continue
      }
    }
  }

  @Test func `no flipped bit gives a record`() {
    let whole = bytes()
    for bit in 0..<whole.count * 8 {
      var flipped = whole
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      if case .record = Record.parse(flipped[...], of: TestLog.id) {
        Issue.record("bit \(bit) goes unnoticed")
      }
    }
  }

  @Test(arguments: [(8, UInt8(9)), (9, UInt8(2)), (10, UInt8(2))])
  func `a whole record of an unknown form is told from damage`(offset: Int, value: UInt8) {
    var unknown = bytes()
    unknown[offset] = value
    let checksum = Record.checksum(unknown[8...], seed: TestLog.id.seed)
    withUnsafeBytes(of: checksum.littleEndian) { unknown.replaceSubrange(4..<8, with: $0) }
    guard case .unsupported = Record.parse(unknown[...], of: TestLog.id) else {
      Issue.record("byte \(offset) of \(value) is not said to be unsupported")
      return
    }
  }

  @Test func `a record of another log is none`() {
    guard case .damaged = Record.parse(bytes()[...], of: TestLog.otherID) else {
      Issue.record("it is read")
      return
    }
    #expect(Record.all(in: bytes(), of: TestLog.otherID).isEmpty)
  }

  @Test func `a length beyond the limit is damage and nothing is allocated for it`() {
    var long = bytes()
    long[3] = 0x7F
    guard case .damaged(let problem) = Record.parse(long[...], of: TestLog.id) else {
      Issue.record("it is not damaged")
      return
    }
    #expect(problem == "a length of 2130706435 bytes")
  }

  @Test func `all whole records are found and the rest is left`() {
    let two = bytes() + bytes() + bytes().dropLast()
    #expect(Record.all(in: two, of: TestLog.id).count == 2)
  }
}
