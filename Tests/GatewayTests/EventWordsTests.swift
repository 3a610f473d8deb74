import StackmeterCore
import StackmeterTesting
import Testing

@testable import GatewayServer

/// Events are read in two ways, by their places or in full; nobody may see which.
@Suite struct EventWordsTests {
  /// The pieces that events are made of; the first of each kind are common, the last are faulty.
  private static let ids = [
    #""a""#, #""vm-1/2026""#, #""é""#, #""x\u0041""#, #""""#, "7", "null",
    "\"\(String(repeating: "i", count: 257))\"", "\"\u{1}\"",
  ]
  private static let sources = [#""cloud""#, #""other""#, #""ç""#, #""""#, #""c\/d""#]
  private static let subjects = [
    #""abc""#, #""/subscriptions/abc""#, #""ABC""#, #""é""#, #""""#, "[]", #""a\"b""#,
  ]
  private static let types = [#""stackmeter.usage.v1""#, #""other""#]
  private static let versions = [#""1.0""#, #""1.0 ""#, "1.0"]
  private static let quantities = [
    "1", "\"2.5\"", "-0.000000000000000001", "0", "-0", "123456789012345678",
    "1234567890123456789", "99999999999999999999999999", "1e3", "\"1E-2\"", "01", "1.", ".5",
    "\"1.5,\"", "1.0000000000000000000", "0.1234567890123456789", "\"\"", "null", "true", "\"1",
    "{}",
  ]
  private static let times = [
    #""2026-11-23T15:00:00Z""#, #""2026-11-23T15:59:59.25+01:00""#, #""2026-11-23t15:00:00z""#,
    #""2026-11-23""#, "null", #""2026-11-23T24:00:00Z""#, "5",
    "\"2026-11-23T15:00:00.\(String(repeating: "0", count: 60))Z\"",
  ]
  private static let tags = [
    #"{"env":"prod"}"#, #"{ "b" : "1", "a" : "2" }"#, "{}", #"{"a":"\u00e9"}"#, #"{"a":1}"#,
    #"{"a":"1","a":"2"}"#, "[]", "null", #""x""#, #"{"a":"}"}"#, "{",
  ]
  private static let infos = [
    #""text""#, #"{"x":[1,2,{"y":null}]}"#, "7", "null", #"{"x":}"#, #"[1,"]"]"#, #"{"x":[}]"#,
  ]
  private static let spaces = ["", " ", "\n  ", "\t\r"]

  private static func pick(
    _ pieces: [String], _ random: inout SeededRandom, strange: Bool
  ) -> String {
    strange ? pieces.randomElement(using: &random)! : pieces[0]
  }

  /// An event of which `strangeness` in a hundred pieces are any.
  private static func event(_ random: inout SeededRandom, strangeness: Int) -> String {
    func strange(_ random: inout SeededRandom) -> Bool {
      Int.random(in: 0..<100, using: &random) < strangeness
    }
    var data: [(String, String)] = []
    for (name, pieces, isOften) in [
      ("meter", [#""cpu""#, #""disk""#, #""""#, "1"], true), ("quantity", quantities, true),
      ("resourceUri", [#""/r""#, #""/r/2""#, #""""#], true),
      ("location", [#""north""#, #""é""#, "null", "1"], false), ("tags", tags, false),
      ("additionalInfo", infos, false), ("startTime", times, false), ("endTime", times, false),
      ("replaces", [#""b""#, "null", "1"], false), ("voids", [#""b""#, "null"], false),
    ] {
      let isUnlikely = name == "replaces" || name == "voids"
      let isPresent =
        isOften
        ? !strange(&random) || Bool.random(using: &random)
        : isUnlikely ? strange(&random) : Bool.random(using: &random)
      if isPresent { data.append((name, pick(pieces, &random, strange: strange(&random)))) }
    }
    if strange(&random) { data.append(("quantity", "1")) }
    if strange(&random) { data.append(("more", "[1]")) }
    if strange(&random) { data.shuffle(using: &random) }
    var members: [(String, String)] = [
      ("specversion", pick(versions, &random, strange: strange(&random))),
      ("type", pick(types, &random, strange: strange(&random))),
      ("id", pick(ids, &random, strange: strange(&random))),
      ("source", pick(sources, &random, strange: strange(&random))),
      ("subject", pick(subjects, &random, strange: strange(&random))),
      ("time", pick(times, &random, strange: strange(&random))),
      ("data", object(data, &random)),
    ]
    if Bool.random(using: &random) { members.append(("datacontenttype", #""application/json""#)) }
    if strange(&random) { members.append(("extension", #""é""#)) }
    if strange(&random) { members.append(("data", "{}")) }
    if strange(&random) { members.remove(at: Int.random(in: 0..<members.count, using: &random)) }
    return object(members, &random)
  }

  private static func object(
    _ members: [(String, String)], _ random: inout SeededRandom
  ) -> String {
    func space(_ random: inout SeededRandom) -> String { spaces.randomElement(using: &random)! }
    var texts: [String] = []
    for (name, value) in members {
      texts.append(space(&random) + "\"\(name)\":" + space(&random) + value + space(&random))
    }
    return "{" + texts.joined(separator: ",") + "}"
  }

  /// What a body says by the reading of trees alone.
  private static func reference(_ body: String) -> (events: [Int: UsageEvent], faulty: [Int])? {
    guard case .array(let elements)? = try? JSONValue(parsing: Array(body.utf8), limits: .batch)
    else { return nil }
    var events: [Int: UsageEvent] = [:]
    var faulty: [Int] = []
    for (index, element) in elements.enumerated() {
      if let event = try? UsageEvent(cloudEvent: element) {
        events[index] = event
      } else {
        faulty.append(index)
      }
    }
    return (events, faulty)
  }

  @Test(arguments: [(0, 200), (3, 1500), (20, 1500)])
  func `a body says the same, however its events are read`(
    strangeness: Int, bodies: Int
  ) throws {
    var random = SeededRandom(seed: UInt64(strangeness))
    var (wholeCount, eventCount) = (0, 0)
    let words = SeriesWords.Pool(countMax: 1)
    for _ in 0..<bodies {
      let count = Int.random(in: 1...12, using: &random)
      let text = (0..<count).map { _ in Self.event(&random, strangeness: strangeness) }
      let body = "[" + text.joined(separator: ",") + "]"
      let read = try? EventsBody(Array(body.utf8), form: .many, words)
      let expected = Self.reference(body)
      #expect((read == nil) == (expected == nil), "\(body)")
      guard let read, let expected else { continue }
      wholeCount += 1
      var events: [Int: UsageEvent] = [:]
      for sourced in read.batches {
        for (place, index) in sourced.requestIndices.enumerated() {
          events[index] = sourced.batch.event(place)
        }
      }
      eventCount += events.count
      #expect(events == expected.events, "\(body)")
      #expect(read.malformed.map(\.index) == expected.faulty, "\(body)")
    }
    #expect(wholeCount > bodies / 50 && eventCount > 0)
  }

  @Test func `most events of the common form are not read as trees`() throws {
    var random = SeededRandom(seed: 1)
    for _ in 0..<100 {
      let text = Array(Self.event(&random, strangeness: 0).utf8)
      let skim = text.withUnsafeBufferPointer { CloudEventSkim($0, at: 0) }
      #expect(skim?.end == text.count)
    }
  }
}
