import Testing

@testable import StackmeterBench

@Suite struct ProcessTests {
  @Test func `processor time is read past a name with spaces`() {
    let stat = "12 (a b) c) S 1 12 12 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 5 0 1 2 3"
    #expect(ProcessFigures.cpu(stat: stat) == .seconds(3))
    #expect(ProcessFigures.cpu(stat: "") == .zero)
  }

  @Test func `memory is read in bytes`() {
    let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"
    #expect(ProcessFigures.bytes("VmHWM", status) == 2 << 20)
    #expect(ProcessFigures.bytes("VmRSS", status) == 1 << 20)
    #expect(ProcessFigures.bytes("VmSwap", status) == 0)
  }

  @Test func `this process has memory and has used its processors`() {
    #expect(ProcessFigures.ofThisProcess().residentBytes > 1 << 20)
    #expect(ProcessFigures.ofThisProcess().residentBytesMax > 1 << 20)
  }

  @Test func `an HTTP answer is whole once its body is`() {
    let head = "HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\n"
    #expect(HTTPConnection.answer(Array(head.dropLast(2).utf8)) == nil)
    #expect(HTTPConnection.answer(Array((head + "ab").utf8)) == nil)
    let answer = HTTPConnection.answer(Array((head + "abc").utf8))
    #expect(answer?.status == 202)
    #expect(answer?.body == Array("abc".utf8))
  }

  @Test func `everything below a directory is measured and removed`() throws {
    let path = try FileTree.makeTemporary(below: "/tmp", prefix: "sm-bench-test-")
    try FileTree.make("\(path)/below")
    try FileTree.make("\(path)/below/it")
    #expect(FileTree.allocatedBytes(path) == 0)
    FileTree.remove(path)
    #expect(throws: BenchFailure.self) { try FileTree.make("\(path)/again") }
  }
}
