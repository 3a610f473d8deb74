import StackmeterCore
import StackmeterOData
import Testing

@Suite struct ODataRequestTests {
  private func options(_ pairs: (String, String)...) throws(ODataError) -> ODataOptions {
    try ODataOptions(pairs.map { (name: $0.0, value: $0.1) }, of: usage)
  }

  private func problem(_ pairs: (String, String)...) -> ODataError? {
    do throws(ODataError) {
      _ = try ODataOptions(pairs.map { (name: $0.0, value: $0.1) }, of: usage)
      return nil
    } catch {
      return error
    }
  }

  @Test func `options are read`() throws {
    let options = try options(
      ("$filter", "Id eq 'a'"), ("$select", "Quantity, Id,Id"), ("$top", "7"),
      ("$skiptoken", "t"), ("$count", "false"), ("$format", "json"))
    #expect(options.filter?.texts(of: 0) == ["a"])
    // In the order of the type, each once.
    #expect(options.selected == [0, 3])
    #expect(options.top == 7 && options.skipToken == "t" && options.format == "json")
    #expect(try self.options().selected == nil)
    #expect(try self.options(("$select", "Id,*")).selected == nil)
  }

  @Test func `what is not answered is unsupported, what is no option is invalid`() {
    for name in ["$orderby", "$skip", "$expand", "$apply", "$search", "$levels", "$new"] {
      #expect(problem((name, "1"))?.kind == .unsupported)
      #expect(problem((name, "1"))?.target == name)
    }
    #expect(problem(("$count", "true"))?.kind == .unsupported)
    #expect(problem(("$count", "yes"))?.kind == .invalid)
    #expect(problem(("top", "1"))?.message.contains("unknown parameter; known are $filter") == true)
    #expect(problem(("$top", "1"), ("$top", "2"))?.message == "stands twice")
    for top in ["-1", "+1", "1.5", "", "a", "1000000001", "9223372036854775808"] {
      #expect(problem(("$top", top))?.message.contains("from 0 to 1000000000") == true)
    }
    #expect(problem(("$select", "Id,"))?.kind == .invalid)
    #expect(problem(("$select", "Colour"))?.message.contains("no property Colour") == true)
    #expect(problem(("$select", "Resource/Group"))?.kind == .unsupported)
    let long = String(repeating: "t", count: ODataOptions.tokenBytesMax + 1)
    #expect(problem(("$skiptoken", long))?.kind == .invalid)
    #expect(problem(("$skiptoken", ""))?.kind == .invalid)
  }

  @Test(arguments: [
    (nil as String?, "application/json;odata.metadata=minimal;charset=utf-8" as String?),
    ("*/*", "application/json;odata.metadata=minimal;charset=utf-8"),
    ("application/json", "application/json;odata.metadata=minimal;charset=utf-8"),
    // As Power BI sends it.
    (
      "application/json;odata.metadata=minimal;q=1.0,application/json;odata=minimalmetadata;q=0.9,"
        + "application/atomsvc+xml;q=0.8,application/atom+xml;q=0.8,application/xml;q=0.7,text/plain;q=0.7",
      "application/json;odata.metadata=minimal;charset=utf-8"
    ),
    (
      "application/json;odata.metadata=none",
      "application/json;odata.metadata=none;charset=utf-8"
    ),
    (
      "application/json;q=0.5, application/json;IEEE754Compatible=true;q=0.9",
      "application/json;odata.metadata=minimal;IEEE754Compatible=true;charset=utf-8"
    ),
    ("text/html, */*;q=0.1", "application/json;odata.metadata=minimal;charset=utf-8"),
    ("text/html", nil), ("application/json;odata.metadata=full", nil),
    ("application/json;q=0", nil), ("application/atom+xml", nil),
  ])
  func `the form is one that the client takes`(accept: String?, type: String?) {
    let format = try? ODataFormat(accept: accept, format: nil, maxVersion: nil)
    #expect(format?.contentType == type)
  }

  @Test func `the format option goes before, and an older client is refused`() throws {
    #expect(
      try ODataFormat(accept: "text/html", format: "json", maxVersion: "4.0").contentType
        == "application/json;odata.metadata=minimal;charset=utf-8")
    #expect(throws: ODataError.self) {
      _ = try ODataFormat(accept: nil, format: "atom", maxVersion: nil)
    }
    for version in ["3.0", "", "x", "-4"] {
      #expect(throws: ODataError.self) {
        _ = try ODataFormat(accept: nil, format: nil, maxVersion: version)
      }
    }
    #expect(throws: Never.self) {
      _ = try ODataFormat(accept: nil, format: nil, maxVersion: "4.01")
      try ODataFormat.checkMetadata(accept: "*/*", format: nil, maxVersion: nil)
      try ODataFormat.checkMetadata(
        accept: "text/html,application/xml;q=0.7", format: nil, maxVersion: nil)
    }
    #expect(throws: ODataError.self) {
      try ODataFormat.checkMetadata(accept: "application/json", format: nil, maxVersion: nil)
    }
    #expect(throws: ODataError.self) {
      try ODataFormat.checkMetadata(accept: nil, format: "json", maxVersion: nil)
    }
  }

  @Test func `the documents name every set and property`() {
    let service = ODataService(
      namespace: "Stackmeter",
      sets: [
        ODataEntitySet("Daily", of: usage, "By day."),
        ODataEntitySet("Hourly", of: usage, "By hour."),
      ])
    let document = String(decoding: service.document(root: "https://h/odata/v4"), as: UTF8.self)
    #expect(
      document
        == "{\"@odata.context\":\"https://h/odata/v4/$metadata\",\"value\":["
        + "{\"name\":\"Daily\",\"kind\":\"EntitySet\",\"url\":\"Daily\"},"
        + "{\"name\":\"Hourly\",\"kind\":\"EntitySet\",\"url\":\"Hourly\"}]}")
    let metadata = String(decoding: service.metadata, as: UTF8.self)
    // The type of two sets stands once.
    #expect(metadata.components(of: "<EntityType ") == 1)
    #expect(metadata.components(of: "<EntitySet ") == 2)
    #expect(metadata.components(of: "<Property ") == usage.properties.count)
    #expect(metadata.contains("EntityType=\"Stackmeter.Usage\""))
    #expect(
      metadata.contains(
        "<Property Name=\"Quantity\" Type=\"Edm.Decimal\" Nullable=\"false\" Precision=\"37\" Scale=\"18\">"
      ))
    #expect(metadata.contains("String=\"Where it is &lt;&quot;kept&quot;> &amp; paid.\""))
  }

  @Test func `values are JSON with all their digits`() throws {
    var writer = JSONWriter()
    let quantity = try Quantity(parsing: "1234567890.123456789012345678")
    writer.object { writer in
      writer.member("a", .decimal(quantity), decimalsAreTexts: false)
      writer.member("b", .decimal(quantity), decimalsAreTexts: true)
      writer.member("c", .null, decimalsAreTexts: false)
      writer.member("d", .boolean(true), decimalsAreTexts: false)
    }
    #expect(
      String(decoding: writer.bytes, as: UTF8.self)
        == "{\"a\":1234567890.123456789012345678,\"b\":\"1234567890.123456789012345678\","
        + "\"c\":null,\"d\":true}")
  }
}

extension String {
  fileprivate func components(of part: String) -> Int {
    ranges(of: part).count
  }
}
