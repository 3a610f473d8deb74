import StackmeterWire
import Testing

@Suite struct ProtoSchemaTests {
  private let schema = ProtoSchema.committed

  @Test func `every message of a call has a fixture and no other has`() {
    #expect(Set(WireFixture.all.map(\.name)) == schema.callMessages)
    #expect(WireFixture.all.count == schema.callMessages.count)
  }

  @Test func `no message contains itself`() {
    // protobuf-c has no limit of depth: a message inside itself would let a peer overflow the stack.
    func depth(_ message: String, _ outer: [String]) -> Int {
      guard !outer.contains(message) else {
        Issue.record("\(message) contains itself: \(outer)")
        return 0
      }
      let inner = (schema.messages[message] ?? []).map { depth($0.type, outer + [message]) }
      return 1 + (inner.max() ?? 0)
    }
    for message in schema.messages.keys.sorted() { #expect(depth(message, []) <= 7) }
  }

  @Test func `a message has no two fields of one number or name`() {
    for (message, fields) in schema.messages {
      #expect(Set(fields.map(\.number)).count == fields.count, "\(message)")
      #expect(Set(fields.map(\.name)).count == fields.count, "\(message)")
      #expect(fields.allSatisfy { (1..<19_000).contains($0.number) }, "\(message)")
    }
  }

  @Test func `every type that a field names is known`() {
    let scalars: Set<String> = [
      "string", "bytes", "bool", "int32", "int64", "uint64", "uint32", "fixed64", "sfixed64",
    ]
    for (message, fields) in schema.messages {
      for field in fields where !scalars.contains(field.type) {
        #expect(
          schema.messages[field.type] != nil || schema.enums.contains(field.type),
          "\(message).\(field.name): \(field.type)")
      }
    }
  }

  @Test func `the reader of proto files knows nested types, maps and streams`() throws {
    let schema = ProtoSchema([
      """
      syntax = "proto3"; // A comment with { a brace
      package a.b;
      service S { // calls
        rpc Call(stream In) returns (stream Out);
      }
      message In {
        enum Kind {
          NONE = 0;
        }
        Kind kind = 1;
        map<string, Out> parts = 2;
      }
      message Out {}
      """
    ])
    #expect(schema.callMessages == ["a.b.In", "a.b.Out"])
    #expect(schema.enums == ["a.b.In.Kind"])
    let fields = try #require(schema.messages["a.b.In"])
    #expect(fields.map(\.type) == ["a.b.In.Kind", "a.b.In.partsEntry"])
    #expect(fields.map(\.isRepeated) == [false, true])
    #expect(schema.messages["a.b.In.partsEntry"]?.map(\.type) == ["string", "a.b.Out"])
    #expect(
      schema.paths(from: "a.b.In").map { $0.map(\.name) }
        == [["kind"], ["parts"], ["parts", "key"], ["parts", "value"]])
  }
}
