import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@testable import GatewayServer

private func entry(_ number: Int, _ action: AuditEntry.Action = .change) -> AuditEntry {
  AuditEntry(
    caller: "key:k\(number)", role: "operator", action: action, operation: "GET /v1/usage",
    filter: "subscription=a&n=\(number)", status: 200, bytes: number, request: "r\(number)")
}

private func text(_ path: String) -> String {
  guard let file = fopen(path, "r") else { return "" }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 1 << 20)
  let count = fread(&bytes, 1, bytes.count, file)
  return String(decoding: bytes.prefix(count), as: UTF8.self)
}

@Suite(.timeLimit(.minutes(1))) final class AuditLogTests {
  private let directory: TemporaryDirectory
  private let clock = SimulatedClock(RunningGateway.start)
  private var path: String { "\(directory.path)/audit" }
  private var current: String { "\(path)/audit.jsonl" }

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func log(bytesMax: Int = 1 << 20) throws -> AuditLog {
    try AuditLog(directory: path, bytesMax: bytesMax, clock: clock)
  }

  private func problems() throws -> [String] { try AuditVerification(directory: path).problems }

  private var lines: [Substring] { text(current).split(separator: "\n") }

  private func rewrite(_ lines: [some StringProtocol]) {
    writeFile(current, lines.map { "\($0)\n" }.joined())
  }

  @Test func `entries are lines of JSON, each with the hash of itself and the one before`() throws {
    let log = try log()
    for number in 1...5 { try log.write(entry(number)) }
    #expect(lines.count == 5)
    for (index, line) in lines.enumerated() {
      let value = try JSONValue(parsing: Array(line.utf8), limits: .event)
      let object = try #require(JSONObject(value, path: ""))
      #expect(object["sequence"] == .number("\(index + 1)"))
      #expect(object["caller"] == .string("key:k\(index + 1)"))
      #expect(object["filter"] == .string("subscription=a&n=\(index + 1)"))
      #expect(object["time"] == .string(RunningGateway.start.description))
      #expect(object["hash"]?.string?.count == 64)
    }
    let found = try AuditVerification(directory: path)
    #expect(found.lineCount == 5)
    #expect(found.problems == [])
  }

  @Test func `a line that is changed in any place is named`() throws {
    let log = try log()
    for number in 1...6 { try log.write(entry(number)) }
    let good = lines.map(String.init)
    for place in 0..<6 {
      for (find, put) in [
        ("subscription=a", "subscription=b"), ("k\(place + 1)", "k9"), ("200", "201"),
      ] {
        var changed = good
        changed[place] = changed[place].replacing(find, with: put)
        #expect(changed[place] != good[place])
        rewrite(changed)
        let found = try problems()
        #expect(found.count == 1)
        #expect(found.first?.contains("audit.jsonl, line \(place + 1): ") == true, "\(found)")
        #expect(found.first?.contains("was changed") == true)
      }
    }
  }

  @Test func `a line that is taken away is named, wherever it was`() throws {
    let log = try log()
    for number in 1...6 { try log.write(entry(number)) }
    let good = lines.map(String.init)
    for place in 1..<5 {
      var changed = good
      changed.remove(at: place)
      rewrite(changed)
      let found = try problems()
      #expect(found.count == 1)
      #expect(found.first?.contains("the entry \(place + 1) is missing") == true, "\(found)")
    }
    rewrite(Array(good.dropLast()))
    #expect(try problems() == ["at the end the entries 6 to 6 are missing"])
    rewrite(Array(good.dropFirst(2)))
    #expect(try problems() == ["at the beginning the entries 1 to 2 are missing"])
    rewrite([String]())
    #expect(try problems() == ["the entries 1 to 6 are missing"])
  }

  @Test func `lines that change places, stand twice or are no lines are named`() throws {
    let log = try log()
    for number in 1...6 { try log.write(entry(number)) }
    let good = lines.map(String.init)
    var swapped = good
    swapped.swapAt(2, 3)
    rewrite(swapped)
    let moved = try problems()
    #expect(moved.contains { $0.contains("line 4: the entry 3 stands behind 4") }, "\(moved)")
    rewrite(good + [good[5]])
    #expect(try problems().count == 1)
    rewrite(good[..<3] + ["{}"] + good[3...])
    let foreign = try problems()
    #expect(foreign.count == 1)
    #expect(foreign.first?.contains("line 4: ") == true)
    rewrite(good)
    #expect(try problems() == [])
  }

  @Test func `a log that is forged from one line on is another log`() throws {
    let log = try log()
    for number in 1...3 { try log.write(entry(number)) }
    // A chain of its own, with good hashes.
    let other = try AuditLog(directory: "\(directory.path)/other", bytesMax: 1 << 20, clock: clock)
    for number in [1, 2, 7] { try other.write(entry(number)) }
    writeFile(current, text("\(directory.path)/other/audit.jsonl"))
    #expect(try problems() == ["the entry 3, the last one, was changed: head has another hash"])
  }

  @Test func `full files keep the chain, and the oldest go in order`() throws {
    let log = try log(bytesMax: 8 * 700)
    for number in 1...100 { try log.write(entry(number)) }
    let files = try AuditFiles(directory: path).full()
    #expect(files.count == Int(AuditLog.filesMax) - 1)
    #expect(try problems() == [])
    let kept = try AuditVerification(directory: path).lineCount
    #expect(kept < 40)
    // One in the middle, and the first one, are missed.
    rename(files[3].path, "\(directory.path)/aside")
    #expect(try problems().count == 1)
    rename("\(directory.path)/aside", files[3].path)
    #expect(try problems() == [])
    unlink(files[0].path)
    #expect(try problems().first?.hasPrefix("at the beginning") == true)
  }

  @Test func `several processes write one chain`() throws {
    let (first, second) = (try log(), try log(bytesMax: 8 * 700))
    for number in 1...40 { try (number % 3 == 0 ? second : first).write(entry(number)) }
    #expect(try problems() == [])
  }

  @Test func `a line that was cut off is cut away, and the log goes on`() throws {
    try log().write(entry(1))
    try log().write(entry(2))
    writeFile(current, text(current) + #"{"sequence":3,"#)
    #expect(try problems().count == 1)
    try log().write(entry(3))
    #expect(try problems() == [])
    #expect(lines.count == 3)
  }

  @Test func `lines that are lost leave a gap that shows for ever`() throws {
    let first = try log()
    for number in 1...4 { try first.write(entry(number)) }
    rewrite(Array(lines.prefix(2)))
    try log().write(entry(5))
    let found = try problems()
    #expect(found.count == 1)
    #expect(found.first?.contains("the entries 3 to 4 are missing") == true, "\(found)")
  }

  @Test func `a log that cannot be written is an error`() throws {
    let log = try log()
    try log.write(entry(1))
    unlink(current)
    symlink("/dev/full", current)
    #expect(throws: AuditError.self) { try log.write(entry(2)) }
    unlink(current)
    mkdir(current, 0o700)
    #expect(throws: AuditError.self) { try log.write(entry(2)) }
    #expect(throws: AuditError.self) {
      try AuditLog(directory: "/nowhere/audit", bytesMax: 1, clock: clock)
    }
  }
}

@Suite(.timeLimit(.minutes(1))) struct AuditDoorTests {
  private func entries(_ gateway: RunningGateway) -> [JSONObject] {
    text("\(gateway.directory)/audit/audit.jsonl").split(separator: "\n").compactMap {
      (try? JSONValue(parsing: Array($0.utf8), limits: .event)).flatMap {
        JSONObject($0, path: "")
      }
    }
  }

  private func withAuditedGateway(
    _ body: @Sendable (RunningGateway) async throws -> Void
  ) async throws {
    try await withGateway(
      configure: { $0.auditDirectory = "\($1)/audit" }, body)
  }

  @Test func `reads of others' usage are written down, and nobody's of their own`() async throws {
    try await withAuditedGateway { gateway in
      let answer = try await gateway.get("/v1/usage?subscription=a%20b")
      _ = try await gateway.getAsTenant("/v1/usage")
      for free in ["/v1/meters", "/v1/windows", "/v1/status", "/healthz"] {
        _ = try await gateway.get(free)
      }
      let provider = try gateway.addKey(role: .provider, provider: "p")
      _ = try await gateway.send("GET", "/v1/usage/summary", token: provider)
      let found = entries(gateway)
      #expect(found.count == 2)
      #expect(found.first?["operation"] == .string("GET /v1/usage"))
      #expect(found.first?["role"] == .string("operator"))
      #expect(found.first?["filter"] == .string("subscription=a%20b"))
      #expect(found.first?["decision"] == .string("allowed"))
      #expect(found.first?["status"] == .number("200"))
      #expect(found.first?["request"]?.string == answer.headers["x-ms-request-id"])
      #expect(found.first?["caller"]?.string?.hasPrefix("key:k") == true)
      #expect(found.last?["role"] == .string("provider"))
    }
  }

  @Test func `a change is written down before it is done, and what became of it`() async throws {
    try await withAuditedGateway { gateway in
      let answer = try await gateway.send(
        "POST", "/v1/quarantine/discard?number=7", token: gateway.operatorToken)
      #expect(answer.status == 200)
      let found = entries(gateway)
      #expect(found.map { $0["action"]?.string } == ["change", "outcome"])
      #expect(found.map { $0["status"] } == [nil, .number("200")])
      #expect(Set(found.map { $0["request"]?.string }).count == 1)
    }
  }

  @Test func `what somebody wanted and may not is written down as denied`() async throws {
    try await withAuditedGateway { gateway in
      let refused = try await gateway.getAsTenant("/v1/quarantine")
      #expect(refused.status == 403)
      let found = entries(gateway)
      #expect(found.map { $0["decision"] } == [.string("denied")])
      #expect(found.first?["role"] == .string("tenant"))
    }
  }

  @Test func `without the log nothing is told or changed, but tenants see their own`() async throws
  {
    try await withAuditedGateway { gateway in
      let current = "\(gateway.directory)/audit/audit.jsonl"
      unlink(current)
      symlink("/dev/full", current)
      let read = try await gateway.get("/v1/usage")
      #expect(read.status == 503)
      #expect(read["code"] == .string("AuditUnavailable"))
      #expect(read["value"] == nil)
      let change = try await gateway.send(
        "POST", "/v1/quarantine/discard?number=7", token: gateway.operatorToken)
      #expect(change.status == 503)
      #expect(gateway.collector.with { $0.discarded.isEmpty })
      #expect(try await gateway.getAsTenant("/v1/usage").status == 200)
      #expect(try await gateway.get("/v1/meters").status == 200)
      unlink(current)
      #expect(try await gateway.get("/v1/usage").status == 200)
    }
  }
}
