import StackmeterCore
import Testing

@Suite struct MeterCatalogTests {
  private func read(_ text: String) throws -> MeterCatalog {
    try MeterCatalog(json: Array(text.utf8))
  }

  private func problems(_ text: String) -> [String] {
    do {
      _ = try MeterCatalog(json: Array(text.utf8))
      return []
    } catch {
      return error.problems
    }
  }

  private func meter(_ id: String) -> String {
    """
    {"id":"\(id)","name":"n","unit":"u","category":"c","resourceProvider":"r","aggregation":"sum",\
    "billable":true}
    """
  }

  @Test func `a catalog is read with every field`() throws {
    let catalog = try read(
      """
      {"meters": [{"id": "CPU-1", "name": "CPU time", "unit": "Core-Seconds", "category": "Compute",
        "resourceProvider": "stackmeter-agent", "aggregation": "sum", "billable": false}]}
      """)
    #expect(
      catalog.meters == [
        Meter(
          id: "CPU-1", name: "CPU time", unit: "Core-Seconds", category: "Compute",
          resourceProvider: "stackmeter-agent", aggregation: .sum, isBillable: false)
      ])
  }

  @Test func `lookup ignores ASCII case and gives the catalog's spelling`() throws {
    let catalog = try read("{\"meters\":[\(meter("AbC-é")),\(meter("K"))]}")
    for id in ["AbC-é", "abc-é", "ABC-é"] { #expect(catalog[id]?.id == "AbC-é") }
    #expect(catalog["ABC-É"] == nil)
    #expect(catalog["AbC-e\u{301}"] == nil)
    #expect(catalog["\u{212A}"] == nil)
    #expect(catalog["k"]?.id == "K")
    #expect(catalog[""] == nil)
  }

  @Test func `an empty catalog knows no meter`() throws {
    #expect(try read("{\"meters\":[]}").meters.isEmpty)
  }

  @Test func `every problem of every meter is reported at once`() {
    let long = String(repeating: "x", count: 257)
    #expect(
      problems(
        """
        {"meters": [7, {"id": "", "name": "\(long)", "unit": 1, "category": null, "aggregation": "mean",
          "extra": 1}, \(meter("A")), \(meter("a")), {"id": "A", "billable": "yes"}], "version": 1}
        """) == [
          "version: unknown member; known are meters",
          "meters[0]: must be an object",
          """
          meters[1].extra: unknown member; known are aggregation, billable, category, id, name, \
          resourceProvider, unit
          """,
          "meters[1].id: must be a text of 1 to 128 bytes",
          "meters[1].name: must be a text of 1 to 256 bytes",
          "meters[1].unit: must be a text of 1 to 256 bytes",
          "meters[1].category: must be a text of 1 to 256 bytes",
          "meters[1].resourceProvider: must be a text of 1 to 256 bytes",
          "meters[1].aggregation: must be one of sum, max, latest, unique_count",
          "meters[1].billable: must be true or false",
          "meters[4].name: must be a text of 1 to 256 bytes",
          "meters[4].unit: must be a text of 1 to 256 bytes",
          "meters[4].category: must be a text of 1 to 256 bytes",
          "meters[4].resourceProvider: must be a text of 1 to 256 bytes",
          "meters[4].aggregation: must be one of sum, max, latest, unique_count",
          "meters[4].billable: must be true or false",
          "meters[3].id: \"a\" is the id of meters[2] too",
          "meters[4].id: \"A\" is the id of meters[2] too",
        ])
  }

  @Test(arguments: [
    ("[]", "must be an object with the member meters"),
    ("{}", "meters: must be an array of meters"),
    ("{\"meters\":{}}", "meters: must be an array of meters"),
    ("", "not valid JSON at byte 0: the text ends early"),
  ])
  func `what is no catalog is refused`(text: String, problem: String) {
    #expect(problems(text) == [problem])
  }

  @Test func `an id has at most 128 bytes`() throws {
    _ = try read("{\"meters\":[\(meter(String(repeating: "x", count: 128)))]}")
    #expect(problems("{\"meters\":[\(meter(String(repeating: "x", count: 129)))]}").count == 1)
  }

  @Test func `meters that share an id make no catalog`() {
    let meters = ["a", "b", "A", "a"].map {
      Meter(
        id: $0, name: "n", unit: "u", category: "c", resourceProvider: "r", aggregation: .sum,
        isBillable: true)
    }
    let error = #expect(throws: MeterCatalogError.self) { try MeterCatalog(meters) }
    #expect(
      error?.description
        == "meters[2].id: \"A\" is the id of meters[0] too; meters[3].id: \"a\" is the id of meters[0] too"
    )
  }
}
