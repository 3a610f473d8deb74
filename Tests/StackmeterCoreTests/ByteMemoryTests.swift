import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct ByteMemoryTests {
  @Test func `a value is found by its bytes and by no others`() throws {
    try withSeededRandom { random in
      var memory = ByteMemory<Int>()
      var expected: [[UInt8]: Int] = [:]
      for number in 0..<3_000 {
        // Short ones, so that many begin or end alike; the empty one is a key, too.
        let key = (0..<Int.random(in: 0...20, using: &random)).map { _ in
          UInt8.random(in: 0...1, using: &random)
        }
        let known = key.withUnsafeBytes { memory.value(of: $0) }
        try #require(known == expected[key])
        guard known == nil else { continue }
        key.withUnsafeBytes { memory.remember($0, number) }
        expected[key] = number
      }
      #expect(memory.count == expected.count)
      #expect(memory.byteCount == expected.keys.reduce(0) { $0 + $1.count })
      for (key, number) in expected {
        try #require(key.withUnsafeBytes { memory.value(of: $0) } == number)
      }
    }
  }

  @Test func `a pool lends each memory to one, the last one first, and keeps no more than it may`()
  {
    let pool = MemoryPool<Int>(countMax: 2)
    #expect(pool.take() == nil)
    for memory in 1...3 { pool.give(memory) }
    #expect([pool.take(), pool.take(), pool.take()] == [2, 1, nil])
  }
}
