internal import Testing

@testable import AgentServer

@Suite struct ProcessSamplerTests {
  private typealias Reading = ProcessSampler.Reading

  private func baseline(
    parent: Int32, own: Int64, reaped: Int64 = 0, user: UInt32, start: UInt64 = 1
  ) -> ProcessBaseline {
    ProcessBaseline(parent: parent, start: start, user: user, own: own, reaped: reaped)
  }

  private func reading(
    parent: Int32, own: Int64, reaped: Int64 = 0, user: UInt32, start: UInt64 = 1
  ) throws -> Reading {
    let text = "1 (x) S \(parent) 0 0 0 0 0 0 0 0 0 \(own) 0 \(reaped) 0 0 0 0 0 \(start) 0 0"
    let status = try #require(ProcessStatus(stat: Array(text.utf8)))
    return Reading(status: status, user: user)
  }

  @Test func `a command may hold parentheses and spaces`() throws {
    let text =
      "7 (a) S (b) R 3 1 1 0 -1 4 1 2 3 4 50 6 70 8 20 0 1 0 999 4096 12 18446744073709551615"
    let status = try #require(ProcessStatus(stat: Array(text.utf8)))
    #expect(status.parent == 3 && status.own == 56 && status.reaped == 78)
    #expect(status.start == 999 && status.residentPages == 12)
    #expect(ProcessStatus(stat: Array("7 (a) S 3".utf8)) == nil)
  }

  @Test func `the real user decides and not the effective one`() {
    let text = "Name:\tUid:\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n"
    #expect(ProcessStatus.realUser(status: Array(text.utf8)) == 1000)
  }

  @Test func `a process is charged what its counter grew and a new one all of it`() throws {
    let times = ProcessTimes(
      [10: baseline(parent: 1, own: 100, user: 5)],
      [10: try reading(parent: 1, own: 130, user: 5), 11: try reading(parent: 1, own: 7, user: 6)])
    #expect(times.ticksByUser() == [5: 30, 6: 7])
  }

  @Test func `a number that was used again is another process`() throws {
    let times = ProcessTimes(
      [1: baseline(parent: 0, own: 0, user: 0), 10: baseline(parent: 1, own: 100, user: 5)],
      [
        1: try reading(parent: 0, own: 0, reaped: 104, user: 0),
        10: try reading(parent: 1, own: 3, user: 6, start: 2),
      ])
    #expect(times.ticksByUser() == [5: 4, 6: 3])
  }

  @Test func `the end of a process is learned from the parent that waited for it`() throws {
    // A shell of root runs `runuser`, which runs a process of user 5; both end between two readings.
    let times = ProcessTimes(
      [
        10: baseline(parent: 1, own: 3, user: 0), 11: baseline(parent: 10, own: 1, user: 0),
        12: baseline(parent: 11, own: 1900, user: 5),
      ],
      [10: try reading(parent: 1, own: 3, reaped: 1951, user: 0)])
    #expect(times.ticksByUser() == [5: 50])
  }

  @Test func `children that no reading saw belong to the process that waited for them`() throws {
    let times = ProcessTimes(
      [10: baseline(parent: 1, own: 3, reaped: 40, user: 5)],
      [10: try reading(parent: 1, own: 4, reaped: 340, user: 5)])
    #expect(times.ticksByUser() == [5: 301])
  }

  @Test func `an orphan that init reaped is not counted twice`() throws {
    let times = ProcessTimes(
      [
        1: baseline(parent: 0, own: 0, user: 0), 10: baseline(parent: 1, own: 0, user: 0),
        11: baseline(parent: 10, own: 2, user: 0), 12: baseline(parent: 11, own: 1900, user: 5),
      ],
      [
        1: try reading(parent: 0, own: 0, reaped: 1910, user: 0),
        10: try reading(parent: 1, own: 0, reaped: 2, user: 0),
      ])
    #expect(times.ticksByUser() == [0: 10])
  }

  @Test func `a child that nobody waited for loses no more than its end`() throws {
    let times = ProcessTimes(
      [10: baseline(parent: 1, own: 3, user: 0), 11: baseline(parent: 10, own: 500, user: 5)],
      [10: try reading(parent: 1, own: 3, user: 0)])
    #expect(times.ticksByUser().isEmpty)
  }
}
