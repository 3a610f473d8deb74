import StackmeterCore
import StackmeterOData
import StackmeterTesting
import Testing

let usage = ODataEntityType(
  "Usage", key: "Id",
  [
    ODataProperty("Id", .string, "The row's own."),
    ODataProperty("Meter", .string, "What was measured."),
    ODataProperty("UsageStart", .time, "When it began."),
    ODataProperty("Quantity", .decimal, "How much."),
    ODataProperty("Provisional", .boolean, "Whether it may grow."),
    ODataProperty("ResourceGroup", .string, isNullable: true, "Where it is <\"kept\"> & paid."),
  ])

private func row(
  _ id: String, _ meter: String = "m", _ start: String = "2026-11-23T10:00:00Z",
  _ quantity: String = "1.5", _ isProvisional: Bool = false, group: String? = nil
) throws -> [ODataValue] {
  [
    .string(id), .string(meter), .time(try #require(Instant(parsing: start))),
    .decimal(try Quantity(parsing: quantity)), .boolean(isProvisional),
    group.map { .string($0) } ?? .null,
  ]
}

@Suite struct ODataFilterTests {
  private func holds(_ filter: String, _ row: [ODataValue]) throws -> Bool {
    try ODataFilter(parsing: filter, of: usage).isTrue { row[$0] }
  }

  private func problem(_ filter: String) -> ODataError? {
    do throws(ODataError) {
      _ = try ODataFilter(parsing: filter, of: usage)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    ("Id eq 'a'", true), ("Id eq 'b'", false), ("'a' eq Id", true), ("Id ne 'a'", false),
    ("Meter eq 'it''s'", true), ("Meter in ('x','it''s')", true), ("Meter in ('x')", false),
    ("(Id eq 'a') and (Meter eq 'it''s')", true), ("not (Id eq 'a')", false),
    ("not Id eq 'a'", false), ("Id eq 'b' or Id eq 'c' or Id eq 'a' and true", true),
    // `and` binds closer.
    ("Id eq 'a' or Id eq 'b' and Id eq 'c'", true),
    ("(Id eq 'a' or Id eq 'b') and Id eq 'c'", false),
    ("UsageStart ge 2026-11-23T10:00:00Z", true), ("UsageStart gt 2026-11-23T10:00:00Z", false),
    ("UsageStart lt 2026-11-23T12:00:00+01:00", true), ("UsageStart ge 2026-11-24", false),
    ("UsageStart ge 2026-11-23T10:00:00", true),
    // A float would take these for the same.
    ("Quantity gt 0.300000000000000003", true), ("Quantity gt 0.300000000000000004", false),
    ("Quantity le 0.300000000000000004", true), ("Quantity eq 3.00000000000000004e-1", true),
    ("Quantity ge -1", true), ("Provisional", true), ("not Provisional", false),
    ("Provisional eq true", true), ("ResourceGroup eq null", true),
    ("null ne ResourceGroup", false),
    ("ResourceGroup eq 'g'", false), ("ResourceGroup ne 'g'", true),
    // Null is neither smaller nor greater, and no text has it or has it not.
    ("ResourceGroup lt 'g'", false), ("contains(ResourceGroup,'g')", false),
    ("not contains(ResourceGroup,'g')", false), ("ResourceGroup in (null)", true),
    ("contains(Meter,'t''')", true), ("startswith(Meter,'it')", true),
    ("endswith(Meter,'it')", false),
    ("endswith( Meter , '''s' )", true), ("contains(Meter,'')", true),
    ("tolower(Meter) eq 'it''s'", true), ("toupper(Meter) eq 'IT''S'", true),
    ("startswith(toupper(Meter),'IT')", true), ("Meter gt 'its'", false),
  ])
  func `a row is wanted or not`(filter: String, isWanted: Bool) throws {
    let row = try row("a", "it's", "2026-11-23T10:00:00Z", "0.300000000000000004", true)
    #expect(try holds(filter, row) == isWanted)
  }

  @Test(arguments: [
    ("", "is missing at character 1"), ("Id", "operator such as eq is missing"),
    ("Id eq", "is missing at character 6"), ("Id eq 'a", "has no end"),
    ("Id eq 'a' x", "something behind the filter at character 11"),
    ("Id eq 5", "Edm.String and Edm.Decimal have nothing to compare"),
    ("UsageStart eq '2026-11-23T10:00:00Z'", "Edm.DateTimeOffset and Edm.String"),
    ("Colour eq 'a'", "no property Colour among Id, Meter, UsageStart"),
    ("id eq 'a'", "no property id"), ("(Id eq 'a'", "a ) is missing"),
    ("Quantity eq 1e99", "neither a number nor a time"), ("Id in ()", "is missing"),
    ("Id in (Meter)", "literals only"), ("Id in (1)", "of the property's type"),
    ("contains(Quantity,'a')", "a Edm.String is needed"), ("contains(Id)", "a , is missing"),
    ("Id EQ 'a'", "operator such as eq is missing"),
  ])
  func `what is no filter is refused where it is wrong`(filter: String, part: String) {
    let problem = problem(filter)
    #expect(problem?.kind == .invalid && problem?.target == "$filter")
    #expect(problem?.message.contains(part) == true, "\(filter): \(String(describing: problem))")
  }

  @Test(arguments: [
    "year(UsageStart) eq 2026", "length(Id) gt 3", "Quantity mul 2 eq 3", "Id has 'a'",
    "substringof('a',Id)",
  ])
  func `what other feeds may answer is told apart`(filter: String) {
    #expect(problem(filter)?.kind == .unsupported)
  }

  @Test func `limits hold`() {
    func nested(_ depth: Int) -> String {
      String(repeating: "(", count: depth) + "Id eq 'a'" + String(repeating: ")", count: depth)
    }
    #expect(problem(nested(ODataFilter.depthMax)) == nil)
    #expect(
      problem(nested(ODataFilter.depthMax + 1))?.message.contains("more than 32 deep") == true)
    let nots = String(repeating: "not ", count: ODataFilter.depthMax + 1) + "Provisional"
    #expect(problem(nots)?.message.contains("more than 32 deep") == true)
    let calls = String(repeating: "tolower(", count: 40) + "Id" + String(repeating: ")", count: 40)
    #expect(problem(calls + " eq 'a'")?.message.contains("more than 32 deep") == true)
    func list(_ count: Int) -> String {
      "Id in (" + Array(repeating: "'a'", count: count).joined(separator: ",") + ")"
    }
    #expect(problem(list(ODataFilter.termsMax - 1)) == nil)
    #expect(problem(list(ODataFilter.termsMax))?.message.contains("more than 500 parts") == true)
    let long = "Id eq '" + String(repeating: "a", count: ODataFilter.bytesMax) + "'"
    #expect(problem(long)?.message.contains("more than 8192 bytes") == true)
  }

  @Test func `texts and times of a filter never leave out a row that it wants`() throws {
    try withSeededRandom { random in
      let ids = ["a", "b", "c"]
      let starts = (0..<4).map { "2026-11-23T0\($0):00:00Z" }
      func leaf() -> String {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: "Id eq '\(ids.randomElement(using: &random)!)'"
        case 1: "'\(ids.randomElement(using: &random)!)' ne Id"
        case 2: "Id in ('\(ids.randomElement(using: &random)!)','x')"
        case 3: "contains(Id,'a')"
        default:
          "UsageStart \(["ge", "gt", "lt", "le", "eq"].randomElement(using: &random)!) "
            + starts.randomElement(using: &random)!
        }
      }
      func filter(_ depth: Int) -> String {
        guard depth > 0 else { return leaf() }
        let (left, right) = (filter(depth - 1), filter(depth - 1))
        return switch Int.random(in: 0..<5, using: &random) {
        case 0: "not (\(left))"
        case 1, 2: "(\(left)) or (\(right))"
        default: "(\(left)) and (\(right))"
        }
      }
      let rows = try ids.flatMap { id in try starts.map { try row(id, "m", $0) } }
      var narrowed = 0
      for _ in 0..<2000 {
        let text = filter(3)
        let filter = try ODataFilter(parsing: text, of: usage)
        let (texts, times) = (filter.texts(of: 0), filter.times(of: 2))
        let all = Instant(nanoseconds: .min)...Instant(nanoseconds: .max)
        if texts != nil || times != all { narrowed += 1 }
        for row in rows where filter.isTrue({ row[$0] }) {
          guard case .string(let id) = row[0], case .time(let start) = row[2] else { continue }
          try #require(texts?.contains(id) != false, "\(text)")
          try #require(times?.contains(start) == true, "\(text)")
        }
      }
      #expect(narrowed > 300)
    }
  }

  @Test func `a store is told of texts and times`() throws {
    let filter = try ODataFilter(
      parsing:
        "(UsageStart ge 2026-11-01T00:00:00Z) and (UsageStart lt 2026-12-01T00:00:00Z) and "
        + "(Meter eq 'a' or Meter eq 'b') and Id in ('x','y') and Id ne 'z' and Quantity gt 5",
      of: usage)
    #expect(filter.texts(of: 1) == ["a", "b"])
    #expect(filter.texts(of: 0) == ["x", "y"])
    #expect(filter.texts(of: 5) == nil)
    let times = try #require(filter.times(of: 2))
    #expect(times.lowerBound.description == "2026-11-01T00:00:00Z")
    #expect(times.upperBound.description == "2026-12-01T00:00:00Z")
    let never = try ODataFilter(
      parsing: "UsageStart lt 2026-11-01 and UsageStart gt 2026-12-01", of: usage)
    #expect(never.times(of: 2) == nil)
  }
}
