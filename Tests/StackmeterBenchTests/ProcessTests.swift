import Glibc
import Testing

@testable import LocalPostgreSQL
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

  @Test func `the chunks of an answer are told apart by their sizes`() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    #expect(HTTPConnection.head(Array(head.dropLast().utf8)) == nil)
    let read = HTTPConnection.head(Array(head.utf8))
    #expect(read?.status == 200 && read?.isChunked == true && read?.bytes == head.utf8.count)
    #expect(HTTPConnection.chunk(Array("1f".utf8)) == nil)
    let chunk = HTTPConnection.chunk(Array("1f\r\nabc".utf8))
    #expect(chunk?.size == 31 && chunk?.start == 4)
    #expect(HTTPConnection.chunk(Array("0\r\n\r\n".utf8))?.size == 0)
    #expect(HTTPConnection.chunk(Array("xyz\r\n".utf8)) == nil)
  }

  @Test func `everything below a directory is measured and removed`() throws {
    let path = try FileTree.makeTemporary(below: "/tmp", prefix: "sm-bench-test-")
    try FileTree.make("\(path)/below")
    try FileTree.make("\(path)/below/it")
    #expect(FileTree.allocatedBytes(path) == 0)
    FileTree.remove(path)
    #expect(throws: BenchFailure.self) { try FileTree.make("\(path)/again") }
  }

  @Test func `a folder that another user cannot enter is named`() throws {
    let path = try FileTree.makeTemporary(below: "/tmp", prefix: "sm-bench-test-")
    defer { FileTree.remove(path) }
    try FileTree.make("\(path)/below")
    func check(_ mode: mode_t, by uid: uid_t, _ gid: gid_t) throws {
      try #require(chmod(path, mode) == 0)
      try PostgreSQLServer.check(canBeReached: "\(path)/below", by: uid, gid, "it")
    }
    // The folder below belongs to this user, so that another needs both.
    try #require(chmod("\(path)/below", 0o711) == 0)
    let (uid, gid) = (getuid(), getgid())
    try check(0o700, by: uid, gid)
    try check(0o701, by: uid + 1, gid + 1)
    try #require(chmod("\(path)/below", 0o710) == 0)
    try check(0o710, by: uid + 1, gid)
    let failure = #expect(throws: PostgreSQLServerError.self) {
      try check(0o706, by: uid + 1, gid + 1)
    }
    #expect(
      failure?.description
        == "the user it cannot enter \(path), so PostgreSQL cannot run below \(path)/below; "
        + "choose another directory, or chmod o+x \(path)")
    #expect(throws: PostgreSQLServerError.self) { try check(0o677, by: uid, gid) }
  }
}
