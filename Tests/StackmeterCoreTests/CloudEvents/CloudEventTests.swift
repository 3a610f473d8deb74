import StackmeterCore
import Testing

@Suite struct CloudEventTests {
  private func read(_ text: String) throws -> UsageEvent {
    try UsageEvent(cloudEvent: JSONValue(parsing: Array(text.utf8), limits: .event))
  }

  private func problems(_ text: String) throws -> [String] {
    let value = try JSONValue(parsing: Array(text.utf8), limits: .event)
    do {
      _ = try UsageEvent(cloudEvent: value)
      return []
    } catch {
      return error.problems.map(\.field)
    }
  }

  /// A valid event with these members of `data` and of the event replaced. Nil removes a member.
  private func event(_ changes: [String: String?] = [:], data dataChanges: [String: String?] = [:])
    -> String
  {
    var data: [String: String?] = [
      "meter": "\"m\"", "quantity": "\"1.25\"", "resourceUri": "\"/subscriptions/s/r\"",
      "startTime": "\"2026-11-23T15:00:00Z\"", "endTime": "\"2026-11-23T16:00:00Z\"",
    ]
    data.merge(dataChanges) { $1 }
    var event: [String: String?] = [
      "specversion": "\"1.0\"", "type": "\"stackmeter.usage.v1\"", "id": "\"e1\"",
      "source": "\"my-cloud\"", "subject": "\"s\"", "time": "\"2026-11-23T17:00:00Z\"",
      "data": object(data),
    ]
    event.merge(changes) { $1 }
    return object(event)
  }

  private func object(_ members: [String: String?]) -> String {
    "{"
      + members.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }.joined(
        separator: ",")
      + "}"
  }

  @Test func `the example of the documentation is read with every field`() throws {
    let event = try read(
      """
      {"specversion": "1.0", "type": "stackmeter.usage.v1", "id": "vm1-2026-11-23T15", "source": "my-cloud",
       "subject": "6f1c0a8e-0000-4000-8000-000000000001", "time": "2026-11-23T16:00:00Z",
       "data": {"meter": "cpu", "quantity": "1.25", "resourceUri": "/subscriptions/x", "location": "local",
                "tags": {"env": "prod", "app": "a"}, "additionalInfo": {"b": [1.50, null], "a": "x"},
                "startTime": "2026-11-23T15:00:00Z", "endTime": "2026-11-23T16:00:00Z"}}
      """)
    #expect(
      event
        == UsageEvent(
          id: "vm1-2026-11-23T15", source: "my-cloud",
          series: Series(
            subscription: "6f1c0a8e-0000-4000-8000-000000000001", meter: "cpu",
            resource: Resource(
              uri: "/subscriptions/x", location: "local", tags: "{\"app\":\"a\",\"env\":\"prod\"}",
              additionalInfo: "{\"b\":[1.50,null],\"a\":\"x\"}")),
          usageStart: Instant(parsing: "2026-11-23T15:00:00Z")!,
          usageEnd: Instant(parsing: "2026-11-23T16:00:00Z")!,
          quantity: Quantity(units: 1, attos: 250_000_000_000_000_000)!))
  }

  @Test(arguments: [
    ("s", "s"), ("/subscriptions/s", "s"), ("/SUBSCRIPTIONS/S", "S"),
    ("/subscriptions", "/subscriptions"),
    ("subscriptions/s", "subscriptions/s"),
    ("/\u{17F}ubscriptions/s", "/\u{17F}ubscriptions/s"),
  ])
  func `the subject is the subscription with or without its path`(subject: String, id: String)
    throws
  {
    #expect(try read(event(["subject": "\"\(subject)\""])).series.subscription == id)
  }

  @Test func `a subject needs an id of at most 128 bytes after its path`() throws {
    let longest = String(repeating: "s", count: 128)
    for prefix in ["", "/subscriptions/"] {
      #expect(
        try read(event(["subject": "\"\(prefix)\(longest)\""])).series.subscription == longest)
      #expect(try problems(event(["subject": "\"\(prefix)\(longest)s\""])) == ["subject"])
      #expect(try problems(event(["subject": "\"\(prefix)\""])) == ["subject"])
    }
    for subject in [nil, "null", "7"] as [String?] {
      #expect(try problems(event(["subject": subject])) == ["subject"])
    }
  }

  @Test(arguments: ["1.25", "\"1.25\"", "125e-2", "\"0.125E1\""])
  func `a quantity is a number or a string that holds one`(quantity: String) throws {
    #expect(
      try read(event(data: ["quantity": quantity])).quantity.description == "1.25")
  }

  @Test(arguments: [
    ("null", "must be a number"), ("true", "must be a number"), ("[1]", "must be a number"),
    ("\"\"", "is not a decimal"), ("\"1,5\"", "is not a decimal"), ("1e-19", "more than 18 digits"),
    ("1e19", "is too large"),
  ])
  func `a quantity that is none says why`(quantity: String, message: String) throws {
    let error = #expect(throws: CloudEventError.self) {
      try read(event(data: ["quantity": quantity]))
    }
    #expect(error?.problems.map(\.field) == ["data.quantity"])
    #expect(error?.problems.first?.message.contains(message) == true)
  }

  @Test func `an event without start and end happened at its time`() throws {
    let moment = try read(event(data: ["startTime": nil, "endTime": nil]))
    #expect(moment.usageStart.description == "2026-11-23T17:00:00Z")
    #expect(moment.usageEnd == moment.usageStart)
    let start = try read(event(["time": nil], data: ["endTime": nil]))
    #expect(start.usageEnd == start.usageStart)
    #expect(
      try problems(event(["time": "null"], data: ["startTime": nil])) == ["data.startTime"])
  }

  @Test func `a time that cannot be read is named once`() throws {
    #expect(try problems(event(["time": "\"today\""], data: ["startTime": nil])) == ["time"])
    #expect(try problems(event(["time": nil], data: ["startTime": "5"])) == ["data.startTime"])
    #expect(
      try problems(event(data: ["endTime": "\"2026-11-23T16:00:00\""])) == ["data.endTime"])
  }

  @Test func `every problem is reported at once with its field`() throws {
    #expect(
      try problems(
        event(
          [
            "specversion": "\"0.3\"", "type": "\"other\"", "id": "\"\"", "source": "7",
            "subject": nil, "time": "1",
          ],
          data: [
            "meter": nil, "quantity": "\"x\"", "resourceUri": "null", "location": "5",
            "tags": "{\"a\":1,\"b\":\"x\",\"c\":null}",
            "additionalInfo": "\"\(String(repeating: "x", count: 8193))\"", "startTime": "\"x\"",
            "endTime": "\"y\"",
          ])) == [
          "specversion", "type", "id", "source", "subject", "time", "data.meter", "data.quantity",
          "data.resourceUri", "data.location", "data.tags.a", "data.tags.c", "data.additionalInfo",
          "data.startTime", "data.endTime",
        ])
  }

  @Test func `data that is no object leaves all of its fields missing`() throws {
    for data in [nil, "null", "[]", "\"x\""] as [String?] {
      #expect(
        try problems(event(["data": data])) == [
          "data", "data.meter", "data.quantity", "data.resourceUri",
        ])
    }
  }

  @Test(arguments: ["[]", "null", "7", "\"x\""])
  func `what is no object is no event`(text: String) throws {
    #expect(try problems(text) == [""])
  }

  @Test(arguments: [
    ("id", 256), ("source", 256), ("data.meter", 128), ("data.resourceUri", 1024),
    ("data.location", 128), ("data.additionalInfo", 8192),
  ])
  func `a text is taken up to its limit in bytes and not one past it`(field: String, limit: Int)
    throws
  {
    for (count, expected) in [(limit, []), (limit + 1, [field])] {
      let text = "\"\(String(repeating: "x", count: count))\""
      let name = field.split(separator: ".").last.map(String.init)!
      let changed = field.hasPrefix("data.") ? event(data: [name: text]) : event([name: text])
      #expect(try problems(changed) == expected)
    }
  }

  @Test func `tags are at most 50 texts and 8192 bytes`() throws {
    func tags(_ count: Int, _ value: String) -> String {
      "{\((0..<count).map { "\"t\($0)\":\"\(value)\"" }.joined(separator: ","))}"
    }
    #expect(try problems(event(data: ["tags": tags(50, "v")])) == [])
    #expect(try problems(event(data: ["tags": tags(51, "v")])) == ["data.tags"])
    #expect(
      try problems(event(data: ["tags": tags(1, String(repeating: "v", count: 8183))])) == [])
    #expect(
      try problems(event(data: ["tags": tags(1, String(repeating: "v", count: 8184))]))
        == ["data.tags"])
    #expect(try problems(event(data: ["tags": "[]"])) == ["data.tags"])
    #expect(try read(event(data: ["tags": "{}"])).series.resource.tags == "")
    #expect(try read(event(data: ["tags": "null"])).series.resource.tags == "")
  }

  @Test func `tag names that differ in bytes both stay`() throws {
    let resource = try read(event(data: ["tags": "{\"\u{E9}\":\"1\",\"e\u{301}\":\"2\"}"])).series
      .resource
    #expect(resource.tagMembers.count == 2)
  }

  @Test func `additional information is passed through as text`() throws {
    for (written, kept) in [
      ("\"free text\"", "free text"), ("null", ""), ("7.10", "7.10"), ("[ 1, \"a\" ]", "[1,\"a\"]"),
    ] {
      #expect(
        try read(event(data: ["additionalInfo": written])).series.resource.additionalInfo == kept)
    }
  }

  @Test func `members that usage does not know are ignored`() throws {
    _ = try read(event(["datacontenttype": "\"application/json\"", "x": "{}"], data: ["y": "1"]))
  }

  @Test func `a replacement names what it replaces beside all that it says`() throws {
    let plain = try read(event())
    var replacement = plain
    replacement.correction = Correction(.replaces, "e0")
    #expect(try read(event(data: ["replaces": "\"e0\"", "voids": "null"])) == replacement)
    #expect(
      try problems(event(data: ["replaces": "\"e0\"", "quantity": nil])) == ["data.quantity"])
  }

  @Test func `a void needs an id, a source and a start`() throws {
    let void = try read(
      event(
        ["subject": nil, "time": nil],
        data: [
          "voids": "\"e0\"", "meter": nil, "quantity": nil, "resourceUri": nil, "endTime": nil,
        ]))
    #expect(void.correction == Correction(.voids, "e0"))
    #expect(void == void.canonicalVoid)
    #expect(void.usageStart == Instant(parsing: "2026-11-23T15:00:00Z"))
    // What else it says is passed over, so that a reporter may send its event again with one member more.
    #expect(
      try read(event(data: ["voids": "\"e0\"", "quantity": "0.0"])).canonicalVoid == void)
    #expect(
      try problems(
        event(["time": nil], data: ["voids": "\"e0\"", "startTime": nil, "quantity": nil]))
        == ["data.startTime"])
  }

  @Test(arguments: ["1", "\"-0.5\""])
  func `a void with a quantity is refused`(quantity: String) throws {
    #expect(
      try problems(event(data: ["voids": "\"e0\"", "quantity": quantity])) == ["data.quantity"])
  }

  @Test func `a target is an id, and there is one`() throws {
    let longest = String(repeating: "e", count: 256)
    for name in ["replaces", "voids"] {
      let quantity = name == "voids" ? "0" : "1"
      func problems(_ target: String) throws -> [String] {
        try self.problems(event(data: [name: target, "quantity": quantity]))
      }
      #expect(try problems("\"\(longest)\"") == [])
      for target in ["\"\(longest)e\"", "\"\"", "7", "[]", "true"] {
        #expect(try problems(target) == ["data.\(name)"])
      }
    }
    #expect(
      try problems(event(data: ["replaces": "\"a\"", "voids": "\"b\""])) == ["data.voids"])
  }
}
