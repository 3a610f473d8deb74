import GRPCCore
import GatewayServer
import StackmeterCommerce
import StackmeterCompression
import StackmeterCore
import StackmeterWire
import Testing

/// The other side of bridges.
@Suite(.timeLimit(.minutes(1))) struct CommerceTests {
  private func record(_ id: String, quantity: String = "1.5", _ more: String = "") -> String {
    #"{"id":"\#(id)","subscription":"local","customer":"contoso","meter":"CPU-H","localMeter":"m","#
      + #""resourceUri":"/vm","location":"l","tags":{"b":"2","a":"1"},"additionalInfo":"","#
      + #""usageStart":"2026-11-23T15:00:00Z","usageEnd":"2026-11-23T16:00:00Z","#
      + #""quantity":"\#(quantity)","window":"2026-11-23T17:00:00Z","cell":"c"\#(more)}"#
  }

  private func batch(_ records: [String], site: String = "s") -> String {
    #"{"batch":"b1-0","site":"\#(site)","model":"payAsYouUse","window":"2026-11-23T17:00:00Z","#
      + #""records":[\#(records.joined(separator: ","))]}"#
  }

  private func post(
    _ gateway: RunningGateway, _ body: String, token: String? = nil, isCompressed: Bool = false
  ) async throws -> HTTPAnswer {
    let bytes = Array(body.utf8)
    return try await gateway.send(
      "POST", "/v1/commerce/usage", token: token ?? gateway.operatorToken,
      headers: ["Content-Type: application/json"]
        + (isCompressed ? ["Content-Encoding: gzip"] : []),
      body: isCompressed ? GzipEncoder.encode(bytes, .fast) : bytes)
  }

  @Test func `a record becomes an event of its site`() async throws {
    try await withGateway { gateway in
      let told = try await post(gateway, batch([record("r1-a")]), isCompressed: true)
      #expect(told.status == 200)
      #expect(told.text == #"{"batch":"b1-0","accepted":1,"duplicates":0,"refused":[]}"#)
      let expected = UsageEvent(
        id: "r1-a", source: "s",
        series: Series(
          subscription: "contoso", meter: "CPU-H",
          resource: Resource(uri: "/vm", location: "l", tags: #"{"a":"1","b":"2"}"#)),
        usageStart: Instant(parsing: "2026-11-23T15:00:00Z")!,
        usageEnd: Instant(parsing: "2026-11-23T16:00:00Z")!,
        quantity: try Quantity(parsing: "1.5"))
      #expect(gateway.collector.with { $0.calls } == [[expected]])
      _ = try await post(
        gateway, batch([record("r1-b").replacing("contoso", with: "")]))
      #expect(gateway.collector.with { $0.calls.last?.first?.series.subscription } == "local")
    }
  }

  @Test func `each record has its own answer, and a conflict is told as one`() async throws {
    try await withGateway { gateway in
      gateway.collector.with {
        $0.results = [
          "r1-b": .duplicate(position: 7),
          "r1-c": .quarantined(Refusal(.tooOld, field: "usage_start", "is too old")),
        ]
      }
      let bad = [record("r1-d", quantity: "1e400"), #"{"id":"r1-e"}"#, "7"]
      let records = [record("r1-a"), record("r1-b"), record("r1-c")] + bad
      let told = try await post(gateway, batch(records))
      #expect(told.status == 200)
      let answer = try #require(CommerceAnswer(parsing: Array(told.text.utf8)))
      #expect(answer.accepted == 1 && answer.duplicates == 1 && answer.records == 6)
      let codes = Dictionary(grouping: answer.refused, by: \.id).mapValues { $0.map(\.code) }
      #expect(
        codes == [
          "r1-c": ["TooOld"], "r1-d": ["Malformed"], "r1-e": ["Malformed"], "": ["Malformed"],
        ])
      gateway.collector.with {
        $0.results["r1-a"] = .conflict(
          position: 3, Refusal(.conflict, field: "quantity", "has another value"))
      }
      let conflict = try await post(gateway, batch([record("r1-a"), record("r1-z")]))
      #expect(conflict.status == 409)
      #expect(
        conflict.text
          == #"{"batch":"b1-0","accepted":1,"duplicates":0,"refused":[{"id":"r1-a","#
          + #""code":"Conflict","reason":"quantity: has another value"}]}"#)
    }
  }

  @Test func `a site reports under its own name only`() async throws {
    try await withGateway { gateway in
      let token = try gateway.addKey(role: .reporter, sources: ["stamp-1"])
      #expect(
        try await post(gateway, batch([record("r1-a")], site: "stamp-1"), token: token).status
          == 200)
      let foreign = try await post(gateway, batch([record("r1-a")], site: "stamp-2"), token: token)
      #expect(foreign.status == 403 && foreign["code"] == .string("SourceNotAllowed"))
      #expect(gateway.collector.with { $0.calls.count } == 1)
    }
  }

  @Test(arguments: [
    "", "[]", "{", #"{"batch":"b","site":"s","model":"payAsYouUse","records":[]}"#,
    #"{"batch":"","site":"s","model":"payAsYouUse","records":[1]}"#,
    #"{"batch":"b","site":"s","model":"free","records":[1]}"#,
    #"{"batch":"b","model":"payAsYouUse","records":[1]}"#,
  ])
  func `what is no batch is refused as a whole`(body: String) async throws {
    try await withGateway { gateway in
      let told = try await post(gateway, body)
      #expect(told.status == 400)
      #expect(gateway.collector.with { $0.calls }.isEmpty)
    }
  }

  @Test func `a batch has a limit of records`() async throws {
    try await withGateway { gateway in
      let most = (0..<CommerceBatch.recordsMax).map { record("r\($0)") }
      let told = try await post(gateway, batch(most), isCompressed: true)
      #expect(told.status == 200)
      let tooMany = try await post(gateway, batch(most + [record("x")]), isCompressed: true)
      #expect(tooMany.status == 400)
    }
  }

  @Test func `while the collector takes nothing, everything is to be sent again`() async throws {
    try await withGateway { gateway in
      gateway.collector.with { $0.failure = RPCError(code: .resourceExhausted, message: "full") }
      let told = try await post(gateway, batch([record("r1-a")]))
      #expect(told.status == 503 && told.headers["retry-after"] == "1")
    }
  }
}

/// Files that are carried, and receipts.
@Suite(.timeLimit(.minutes(1))) struct CommerceSignatureTests {
  private static let body =
    #"{"batch":"b1-0","site":"s","model":"disconnected","records":[{"id":"r1-a"}]}"#

  private func post(
    _ gateway: RunningGateway, signature: String?
  ) async throws -> HTTPAnswer {
    try await gateway.send(
      "POST", "/v1/commerce/usage", token: gateway.operatorToken,
      headers: ["Content-Type: application/json"]
        + (signature.map { ["\(CommerceSignature.header): \($0)"] } ?? []),
      body: Array(Self.body.utf8))
  }

  @Test func `a signed file is taken, and its receipt is signed`() async throws {
    try await withGateway { gateway in
      let key = gateway.operatorToken
      let text = Array(Self.body.utf8)
      let signature = CommerceSignature.text(.usage, batch: "b1-0", text, key: key)
      let told = try await post(gateway, signature: signature)
      #expect(told.status == 200)
      let receipt = try #require(told.headers["stackmeter-signature"])
      #expect(
        CommerceSignature.isValid(receipt, .receipt, batch: "b1-0", told.body, key: key))
      // Each is good for what it was made for.
      for wrong in [
        receipt, "", "v1,", "v2" + signature.dropFirst(2),
        CommerceSignature.text(.usage, batch: "b1-1", text, key: key),
        CommerceSignature.text(.usage, batch: "b1-0", text, key: key + "x"),
        CommerceSignature.text(.usage, batch: "b1-0", text + [32], key: key),
      ] {
        let refused = try await post(gateway, signature: wrong)
        #expect(refused.status == 400, "\(wrong)")
      }
      #expect(try await post(gateway, signature: nil).status == 200)
    }
  }
}
