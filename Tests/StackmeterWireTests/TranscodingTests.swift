import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

/// Messages as JSON, by protobuf's own rules. Python's protobuf reads and writes the same in the system tests.
@Suite struct TranscodingTests {
  private func read(
    _ text: String, as type: MessageType, caller: Caller = .operator
  ) throws -> [UInt8] {
    try type.packed(try JSONValue(parsing: Array(text.utf8), limits: .message), caller: caller)
  }

  private func rewritten(_ text: String, as type: MessageType) throws -> String {
    String(decoding: try type.json(try read(text, as: type)), as: UTF8.self)
  }

  @Test(arguments: WireFixture.all)
  func `a message survives JSON`(fixture: WireFixture) throws {
    for example in fixture.examples {
      let text = String(decoding: try fixture.type.json(example), as: UTF8.self)
      // Whoever asks is named anew.
      guard !fixture.type.hasCaller else { continue }
      #expect(try read(text, as: fixture.type) == example, "\(text)")
    }
  }

  @Test(arguments: WireFixture.all)
  func `every field has one name in JSON, which leads back to it`(fixture: WireFixture) {
    for field in fixture.type.fields {
      let text = #"{"\#(field.name)":null}"#
      #expect((try? read(text, as: fixture.type)) != nil, "\(field.name)")
      _ = field.kind
    }
  }

  private let event = MessageType(ReportRequest.self)

  @Test func `values are written as protobuf's JSON has them`() throws {
    let text = """
      {"events":[{"id":"a","series":{"subscription":"s","resourceUri":"/r","tags":{"b":"2","a":"1"}},\
      "usageStart":"-9223372036854775808","usageEnd":"9223372036854775807","quantity":{"units":"-1"}}]}
      """
    #expect(try rewritten(text, as: event) == text)
    #expect(try rewritten("{}", as: event) == "{}")
    #expect(try rewritten(#"{"events":[{}]}"#, as: event) == #"{"events":[{}]}"#)
    // Defaults are left out, whoever writes them.
    #expect(
      try rewritten(
        #"{"events":[{"id":"","usageStart":0,"quantity":{},"series":null}]}"#, as: event)
        == #"{"events":[{"quantity":{}}]}"#)
  }

  @Test(arguments: [
    ("usage_start", "7", "7"), ("usageStart", #""7""#, "7"), ("usageStart", "7.0", "7"),
    ("usageStart", "1e3", "1000"), ("usageStart", #""-1.5e1""#, "-15"), ("usageStart", "-0", ""),
    ("usageStart", "9223372036854775807", "9223372036854775807"),
    ("usageStart", "9.223372036854775807e18", "9223372036854775807"),
  ])
  func `a whole number may be written in many ways`(
    name: String, value: String, expected: String
  ) throws {
    let written = expected.isEmpty ? "{}" : #"{"usageStart":"\#(expected)"}"#
    #expect(
      try rewritten(#"{"events":[{"\#(name)":\#(value)}]}"#, as: event)
        == #"{"events":[\#(written)]}"#)
  }

  @Test func `bytes, enums and numbers of 32 bits`() throws {
    let chunk = MessageType(JournalChunk.self)
    for (text, expected) in [("AP8=", "AP8="), ("AP8", "AP8="), ("-_8=", "+/8="), ("", nil)] {
      #expect(
        try rewritten(#"{"records":"\#(text)","durable_position":18446744073709551615}"#, as: chunk)
          == (expected.map { #"{"records":"\#($0)","# } ?? "{")
          + #""durablePosition":"18446744073709551615"}"#)
    }
    let list = MessageType(BatchResult.self)
    for value in [#""OUTCOME_PARKED""#, "6", "6.0"] {
      #expect(
        try rewritten(#"{"ranges":[{"count":4294967295,"outcome":\#(value)}]}"#, as: list)
          == #"{"ranges":[{"count":4294967295,"outcome":"OUTCOME_PARKED"}]}"#)
    }
    #expect(
      try rewritten(#"{"ranges":[{"outcome":99}]}"#, as: list) == #"{"ranges":[{"outcome":99}]}"#)
  }

  @Test(arguments: [
    ("[]", "", "object"), ("7", "", "object"), (#"{"event":[]}"#, "event", "unknown"),
    (#"{"events":{}}"#, "events", "array"), (#"{"events":[7]}"#, "events[0]", "object"),
    (#"{"events":[null]}"#, "events[0]", "object"),
    (#"{"events":[{"Id":"a"}]}"#, "events[0].Id", "unknown"),
    (#"{"events":[{"usage_Start":1}]}"#, "events[0].usage_Start", "unknown"),
    (#"{"events":[{"usageStart":1,"usage_start":1}]}"#, "events[0].usage_start", "twice"),
    (#"{"events":[{},{"id":7}]}"#, "events[1].id", "string"),
    (#"{"events":[{"usageStart":"x"}]}"#, "events[0].usageStart", "whole number"),
    (#"{"events":[{"usageStart":1.5}]}"#, "events[0].usageStart", "whole number"),
    (#"{"events":[{"usageStart":" 1"}]}"#, "events[0].usageStart", "whole number"),
    (#"{"events":[{"usageStart":"+1"}]}"#, "events[0].usageStart", "whole number"),
    (#"{"events":[{"usageStart":"0x1"}]}"#, "events[0].usageStart", "whole number"),
    (#"{"events":[{"usageStart":true}]}"#, "events[0].usageStart", "whole number"),
    (#"{"events":[{"usageStart":9223372036854775808}]}"#, "events[0].usageStart", "whole number"),
    (#"{"events":[{"usageStart":1e400}]}"#, "events[0].usageStart", "whole number"),
    (#"{"events":[{"series":{"tags":[]}}]}"#, "events[0].series.tags", "object"),
    (#"{"events":[{"series":{"tags":{"a":1}}}]}"#, #"events[0].series.tags["a"]"#, "string"),
    (#"{"events":[{"series":{"tags":{"a":null}}}]}"#, #"events[0].series.tags["a"]"#, "null"),
  ])
  func `what is no such message is told of by its place`(
    text: String, field: String, problem: String
  ) throws {
    let error = #expect(throws: TranscodingError.self) { try read(text, as: event) }
    #expect(error?.field == field)
    #expect(error?.problem.contains(problem) == true, "\(error?.problem ?? "")")
  }

  @Test func `the other numbers, flags, enums and bytes are checked too`() {
    for (type, text) in [
      (MessageType(BatchResult.self), #"{"number":-1}"#),
      (MessageType(BatchResult.self), #"{"number":18446744073709551616}"#),
      (MessageType(BatchResult.self), #"{"ranges":[{"count":4294967296}]}"#),
      (MessageType(BatchResult.self), #"{"ranges":[{"outcome":"PARKED"}]}"#),
      (MessageType(BatchResult.self), #"{"ranges":[{"outcome":2147483648}]}"#),
      (MessageType(BatchResult.self), #"{"ranges":[{"outcome":true}]}"#),
      (MessageType(ReadJournalRequest.self), #"{"follow":"true"}"#),
      (MessageType(ReadJournalRequest.self), #"{"follow":1}"#),
      (MessageType(JournalChunk.self), #"{"records":"A"}"#),
      (MessageType(JournalChunk.self), #"{"records":"A==="}"#),
      (MessageType(JournalChunk.self), #"{"records":"AB=="}"#),
      (MessageType(JournalChunk.self), #"{"records":"A P8"}"#),
    ] {
      #expect(throws: TranscodingError.self, "\(text)") { try read(text, as: type) }
    }
  }

  @Test(arguments: [
    "{}", #"{"caller":{"role":"ROLE_OPERATOR"}}"#, #"{"caller":{"role":1,"subscriptions":["b"]}}"#,
    #"{"caller":null}"#, #"{"caller":"nobody"}"#, #"{"caller":{"role":"NONE"}}"#,
  ])
  func `who asks is who is known to ask, whatever is written`(text: String) throws {
    let type = MessageType(ListSubscriptionsRequest.self)
    #expect(type.hasCaller)
    let bytes = try read(text, as: type, caller: .tenant(subscriptions: ["a"]))
    #expect(try ListSubscriptionsRequest(bytes).caller == .tenant(subscriptions: ["a"]))
    #expect(try ListSubscriptionsRequest(try read(text, as: type)).caller == .operator)
  }

  @Test func `a caller further inside is no caller, and the contract has none`() {
    for fixture in WireFixture.all {
      for field in fixture.type.fields {
        if case .message(let part) = field.kind { #expect(!part.hasCaller) }
      }
    }
  }

  @Test(arguments: WireFixture.all)
  func `any JSON gives a message or an error`(fixture: WireFixture) throws {
    var random = SeededRandom(seed: 11)
    let values = [
      "null", "true", "0", "-1", "1e9", #""""#, #""AQ==""#, #""7""#, "[]", "[{}]", "{}",
      #"{"units":"1"}"#, #"["a"]"#, "[1,2,3]", "[null]", #"{"a":"b"}"#,
    ]
    for _ in 0..<300 {
      var members: [String] = []
      for field in fixture.type.fields where Bool.random(using: &random) {
        members.append(#""\#(field.name)":\#(values.randomElement(using: &random)!)"#)
      }
      let text = "{" + members.joined(separator: ",") + "}"
      guard let bytes = try? read(text, as: fixture.type) else { continue }
      let written = try fixture.type.json(bytes)
      guard !fixture.type.hasCaller else { continue }
      #expect(
        try read(String(decoding: written, as: UTF8.self), as: fixture.type) == bytes, "\(text)")
    }
  }
}
