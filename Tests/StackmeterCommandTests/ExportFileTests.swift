internal import ArgumentParser
internal import Glibc
internal import StackmeterCompression
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterTesting
internal import StackmeterWire
internal import Testing

@testable import StackmeterCommand

@Suite struct ExportFileTests {
  private static let question = ExportUsageRequest(caller: .operator, format: .ndjson)

  private static func content(_ path: String) throws -> [UInt8] {
    try fileContent(path, bytesMax: 1 << 20)
  }

  private static func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 }

  @Test func `a file appears whole, and what was killed goes on behind its last part`() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/usage.ndjson"
    _ = try directory.write("usage.ndjson", "the file of yesterday")
    let file = ExportFile(path: path, isCompressed: false)
    var killed = try file.open(Self.question.packed())
    #expect(killed.token == "")
    try killed.append(Array("one\n".utf8), next: "t1")
    try killed.append(Array("two\n".utf8), next: "t2")
    // What a killed process had begun to write is no part of the file.
    #expect(write(killed.descriptor, "thr", 3) == 3)
    close(killed.descriptor)
    #expect(try Self.content(path) == Array("the file of yesterday".utf8))

    var again = try file.open(Self.question.packed())
    #expect(again.token == "t2")
    try again.append(Array("three\n".utf8), next: "")
    try again.finish()
    #expect(try Self.content(path) == Array("one\ntwo\nthree\n".utf8))
    #expect(!Self.isThere(path + ".part") && !Self.isThere(path + ".part.json"))
  }

  @Test func `another question begins another file, and so does one whose part is short`() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/usage.ndjson"
    func begin(_ question: ExportUsageRequest, gzip: Bool = false) throws -> String {
      let output = try ExportFile(path: path, isCompressed: gzip).open(question.packed())
      defer { close(output.descriptor) }
      return output.token
    }
    func leave() throws {
      var output = try ExportFile(path: path, isCompressed: false).open(Self.question.packed())
      try output.append(Array("one\n".utf8), next: "t1")
      close(output.descriptor)
    }
    try leave()
    #expect(try begin(Self.question) == "t1")
    var other = Self.question
    other.subscriptions = ["a"]
    #expect(try begin(other) == "")
    try leave()
    #expect(try begin(Self.question, gzip: true) == "")
    try leave()
    #expect(truncate(path + ".part", 3) == 0)
    #expect(try begin(Self.question) == "")
    try leave()
    _ = try directory.write("usage.ndjson.part.json", "{")
    #expect(try begin(Self.question) == "")
  }

  @Test func `two exports do not write one file`() throws {
    let directory = try TemporaryDirectory()
    let file = ExportFile(path: "\(directory.path)/usage.csv", isCompressed: false)
    let first = try file.open(Self.question.packed())
    defer { close(first.descriptor) }
    let failure = #expect(throws: CommandFailure.self) { _ = try file.open(Self.question.packed()) }
    #expect(failure?.exitCode == EX_TEMPFAIL)
    #expect(failure?.message.contains("another export writes") == true)
  }

  @Test func `a compressed file has a member for each part, and is one file to who unpacks it`()
    throws
  {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/usage.ndjson.gz"
    let file = ExportFile(path: path, isCompressed: true)
    let parts = ["", "one\n", String(repeating: "two\n", count: 1000), "three\n"]
    for (index, text) in parts.enumerated() {
      // Each part by a process of its own.
      var output = try file.open(Self.question.packed())
      #expect(output.token == (index == 0 ? "" : "t\(index)"))
      try output.append(Array(text.utf8), next: index < 3 ? "t\(index + 1)" : "")
      if index < 3 { close(output.descriptor) } else { try output.finish() }
    }
    let packed = try Self.content(path)
    let bytes = try GzipDecoder.decode(packed, GzipLimits(outputBytesMax: 1 << 20))
    #expect(bytes == Array(parts.joined().utf8))
  }

  @Test func `what cannot go together is refused before anything is asked`() throws {
    func problem(_ arguments: String...) -> String { problem(arguments) }
    func problem(_ arguments: [String]) -> String {
      do {
        _ = try ExportCommand.parse(["usage.csv"] + arguments)
        return ""
      } catch { return ExportCommand.message(for: error) }
    }
    #expect(problem("--gzip", "--end", "--bom", "--daily") == "")
    #expect(problem("--focus", "2026-11", "--gzip", "--subscription", "a") == "")
    for other in [["--daily"], ["--from", "2026-11-01"], ["--format", "ndjson"], ["--bom"]] {
      #expect(
        problem(["--focus", "2026-11"] + other).contains("--focus goes with --subscription"))
    }
    #expect(problem("--bom", "--format", "ndjson").contains("--bom is for CSV"))
    #expect(
      problem("--restated-since", "2026-11-01", "--from", "2026-11-01").contains("leave --from out")
    )
    let command = try ExportCommand.parse(["f", "--daily", "--from", "2026-11-01T05:00:00Z"])
    let failure = #expect(throws: CommandFailure.self) { _ = try command.question() }
    #expect(failure?.exitCode == 64)
  }
}
