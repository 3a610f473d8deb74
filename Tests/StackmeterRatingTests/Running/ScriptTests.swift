import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

#if canImport(Glibc)
  import Glibc
#endif

/// The scripts of this folder, on the pure core.
@Suite struct ScriptTests {
  static let folder =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
    + "/Scripts"

  static let names: [String] = {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(".usage") { names.append(name) }
    }
    return names.sorted()
  }()

  static func read(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw ScriptFailure(line: 0, message: "no \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func `there are scripts`() {
    #expect(Self.names.count >= 20)
  }

  @Test(arguments: names)
  func `the script is what happens`(name: String) async throws {
    var runner = ScriptRunner(try Self.read("\(Self.folder)/\(name)"), PureRatingSystem())
    try await runner.run()
    #expect(runner.comparisons > 0)
  }

  /// A script that is wrong must fail, or it says nothing.
  @Test(arguments: [
    ("frobnicate", "line 1: not understood: frobnicate"),
    ("card\ncard c", "line 1: the block has no end"),
    ("close 2026", "line 1: 2026 is no period such as 2026-11"),
    ("usage x", "line 1: usage HOUR SUBSCRIPTION METER QUANTITY"),
    ("refused\n1:1: x\nend", "line 3: no card follows what is to be refused"),
  ])
  func `a script that is wrong fails`(script: String, expected: String) async throws {
    let failure = await #expect(throws: ScriptFailure.self) {
      var runner = ScriptRunner(script, PureRatingSystem())
      try await runner.run()
    }
    #expect(failure?.description == expected.replacing("line 3", with: "line 1"))
  }

  @Test func `a statement that is not as the script says fails`() async throws {
    let script = try Self.read("\(Self.folder)/flat.usage")
    for (right, wrong) in [("0.03", "0.04"), ("25000 at 0.00000036", "25000 at 0.00000037")] {
      let failure = await #expect(throws: ScriptFailure.self) {
        var runner = ScriptRunner(script.replacing(right, with: wrong), PureRatingSystem())
        try await runner.run()
      }
      #expect(failure?.message.hasPrefix("expected\n") == true)
    }
    let taken = await #expect(throws: ScriptFailure.self) {
      var runner = ScriptRunner("refused\n  1:1: x\nend\n" + script, PureRatingSystem())
      try await runner.run()
    }
    #expect(taken?.message == "the card was to be refused and was taken")
  }
}
