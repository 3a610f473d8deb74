import Testing

@testable import CollectorServer

@Suite struct CommitQueueTests {
  @Test func `all that waits is taken at once and in order`() throws {
    let queue = CommitQueue<Int>(weightMax: 10)
    for number in 0..<5 { try queue.put(number, weight: 2) }
    #expect(queue.take(timeout: .seconds(60)) == [0, 1, 2, 3, 4])
    #expect(queue.take(timeout: .zero) == [])
  }

  @Test func `more than the weight is refused until it is taken`() throws {
    let queue = CommitQueue<Int>(weightMax: 10)
    try queue.put(1, weight: 6)
    #expect(throws: CommitQueue<Int>.Refused.full) { try queue.put(2, weight: 5) }
    try queue.put(3, weight: 4)
    #expect(queue.take(timeout: .zero) == [1, 3])
    try queue.put(4, weight: 10)
  }

  @Test func `an element heavier than the queue passes alone`() throws {
    let queue = CommitQueue<Int>(weightMax: 10)
    try queue.put(1, weight: 11)
    #expect(throws: CommitQueue<Int>.Refused.full) { try queue.put(2, weight: 0) }
    #expect(queue.take(timeout: .zero) == [1])
  }

  @Test func `a closed queue refuses what comes and gives what waits`() throws {
    let queue = CommitQueue<Int>(weightMax: 10)
    try queue.put(1, weight: 1)
    queue.close()
    #expect(throws: CommitQueue<Int>.Refused.closed) { try queue.put(2, weight: 1) }
    #expect(queue.take(timeout: .seconds(60)) == [1])
    #expect(queue.take(timeout: .seconds(60)) == nil)
  }

  @Test(.timeLimit(.minutes(1)))
  func `every element of many tasks is taken once`() async throws {
    let queue = CommitQueue<Int>(weightMax: .max)
    let taken = await withTaskGroup(of: [Int].self) { group in
      group.addTask {
        var taken: [Int] = []
        while taken.count < 1000, let elements = queue.take(timeout: .seconds(60)) {
          taken += elements
        }
        return taken
      }
      for task in 0..<10 {
        group.addTask {
          for number in 0..<100 { try? queue.put(task * 100 + number, weight: 1) }
          return []
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(taken.sorted() == Array(0..<1000))
  }
}
