import AggregatorClient
import CollectorClient
import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import QueryServer

/// Files of closed windows, over a real database.
@Suite(.timeLimit(.minutes(2))) struct ExportTests {
  private static let key = [UInt8](repeating: 1, count: 32)

  private struct Place {
    let store: SQLiteUsageStore
    let query: Query

    func count(_ rows: [CountedRow], next: UInt64, open: Int64) throws {
      try store.count(rows, next: next, open: open)
    }

    /// The whole file, and in how many parts it came.
    func file(_ request: ExportUsageRequest) async throws -> (
      text: String, parts: Int, last: ExportUsageResponse
    ) {
      var (request, bytes, parts) = (request, [UInt8](), 0)
      while true {
        let part = try await query.exportUsage(request)
        bytes += part.data
        parts += 1
        request.pageToken = part.nextPageToken
        if part.nextPageToken.isEmpty {
          return (String(decoding: bytes, as: UTF8.self), parts, part)
        }
      }
    }
  }

  private func withPlace(_ body: (Place) async throws -> Void) async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let store = try SQLiteUsageStore(path: path)
      try await withInProcessChannel(endpoints: []) { channel in
        let query = Query(
          database: .sqlite(path: path, cell: "local"), tokenKey: Self.key,
          collector: CollectorClient(channel), aggregator: AggregatorClient(channel),
          clock: SimulatedClock(Hour(index: 499_700).start))
        try await body(Place(store: store, query: query))
        await query.stop()
      }
    }
  }

  private static func series(
    _ subscription: String, uri: String = "/r", location: String = "", tags: String = "",
    info: String = ""
  ) -> Series {
    Series(
      subscription: subscription, meter: "CPU",
      resource: Resource(uri: uri, location: location, tags: tags, additionalInfo: info))
  }

  @Test func `the bytes of a file are those of the definition, and the same every time`()
    async throws
  {
    try await withPlace { place in
      let series = Self.series(
        "s", uri: "=cmd", location: "＋x", tags: #"{"a":"b\"c"}"#, info: "line\nend")
      try place.count(
        [
          (499_655, series, 499_654, Quantity(units: -1, attos: -500_000_000_000_000_000)!),
          (499_656, series, 499_656, Quantity(2)),
        ], next: 3, open: 499_656)
      let request = ExportUsageRequest(
        caller: .operator, hasByteOrderMark: true, hasEndRecord: true)
      let file = try await place.file(request)
      // What Python's hashlib makes of the definition in README.md.
      let (digest, hash) = ("7e7e00fb4132d583240931e278c949b8", "23f1b21215324ec61916bf79bf19d582")
      #expect(
        file.text
          == "\u{FEFF}\"id\",\"contentHash\",\"subscriptionId\",\"meterId\",\"resourceUri\",\"location\","
          + "\"tags\",\"additionalInfo\",\"usageStart\",\"usageEnd\",\"quantity\",\"window\",\"cell\"\r\n"
          + "\"\(digest)-2026123122-2026123123\",\"v1-\(hash)\",\"s\",\"CPU\",\"'=cmd\",\"'＋x\","
          + #""{""a"":""b\""c""}","line"# + "\nend\",\"2026-12-31T22:00:00Z\","
          + "\"2026-12-31T23:00:00Z\",-1.5,\"2026-12-31T23:00:00Z\",\"local\"\r\n"
          + "\"end\",\"\",\"\",\"\",\"\",\"\",\"\",\"rows=1\",\"2026-12-31T23:00:00Z\","
          + "\"2027-01-01T00:00:00Z\",,\"\",\"\"\r\n")
      var json = request
      json.format = .ndjson
      json.hasByteOrderMark = false
      let lines = try await place.file(json).text.split(separator: "\n")
      #expect(
        lines.first.map(String.init)
          == #"{"id":"\#(digest)-2026123122-2026123123","contentHash":"v1-\#(hash)","# as String
          + #""subscriptionId":"s","meterId":"CPU","resourceUri":"=cmd","location":"＋x","#
          + #""tags":{"a":"b\"c"},"additionalInfo":"line\nend","usageStart":"2026-12-31T22:00:00Z","#
          + #""usageEnd":"2026-12-31T23:00:00Z","quantity":"-1.5","window":"2026-12-31T23:00:00Z","#
          + #""cell":"local"}"#)
      #expect(
        lines.last.map(String.init)
          == #"{"end":true,"rows":1,"from":"2026-12-31T23:00:00Z","to":"2027-01-01T00:00:00Z"}"#)
      #expect(lines.count == 2)
      #expect(try await place.file(request).text == file.text)
    }
  }

  @Test func `a file has closed windows only, whole, in parts, and the next one has the rest`()
    async throws
  {
    try await withPlace { place in
      let info = String(repeating: "x", count: 4000)
      let rows = (0..<900).map { number in
        (
          Int64(499_600 + number % 3),
          Self.series("s\(number % 7)", uri: "/r/\(number)", info: info),
          Int64(499_600), Quantity(1)
        )
      }
      try place.count(rows, next: 3, open: 499_602)
      let request = ExportUsageRequest(caller: .operator, format: .ndjson)
      let first = try await place.file(request)
      #expect(first.parts > 1 && first.last.rows == 600)
      #expect(first.last.windows == Hour(index: 499_600)..<Hour(index: 499_602))
      let lines = first.text.split(separator: "\n")
      #expect(Set(lines).count == 600 && lines.count == 600)
      // What closes meanwhile belongs to the next file, also in the middle of this one.
      var half = request
      half.pageToken = try await place.query.exportUsage(request).nextPageToken
      try place.count([], next: 4, open: 499_610)
      var rest = ""
      repeat {
        let part = try await place.query.exportUsage(half)
        rest += String(decoding: part.data, as: UTF8.self)
        half.pageToken = part.nextPageToken
        #expect(part.windows.upperBound == Hour(index: 499_602))
      } while !half.pageToken.isEmpty
      #expect(first.text.hasSuffix(rest))
      var next = request
      next.from = first.last.windows.upperBound
      let second = try await place.file(next)
      #expect(second.last.rows == 300)
      let whole = try await place.file(request)
      #expect(whole.text == first.text + second.text)
      // A tenant's file is the operator's, filtered.
      var own = request
      own.caller = .tenant(subscriptions: ["s3"])
      let filtered = whole.text.split(separator: "\n").filter {
        $0.contains(#""subscriptionId":"s3""#)
      }
      #expect(try await place.file(own).text.split(separator: "\n") == filtered)
      own.caller = .tenant(subscriptions: [])
      #expect(try await place.file(own).text == "")
    }
  }

  @Test func `days are the sums of their hours, and only whole closed days`() async throws {
    try await withPlace { place in
      let series = Self.series("s")
      try place.count(
        [
          (499_632, series, 499_632, Quantity(1)), (499_633, series, 499_632, Quantity(2)),
          (499_655, series, 499_631, Quantity(4)), (499_656, series, 499_656, Quantity(8)),
        ], next: 3, open: 499_660)
      let file = try await place.file(
        ExportUsageRequest(caller: .operator, granularity: .daily, format: .ndjson))
      #expect(file.last.windows.upperBound == Hour(index: 499_656) && file.last.rows == 2)
      let lines = file.text.split(separator: "\n").map(String.init)
      #expect(lines[0].contains(#"-20261230-20261231""#) && lines[0].contains(#""quantity":"4""#))
      #expect(lines[1].contains(#"-20261231-20261231""#) && lines[1].contains(#""quantity":"3""#))
    }
  }

  @Test func `a file without a beginning begins with the first window that is kept and has usage`()
    async throws
  {
    try await withPlace { place in
      func windows(
        _ granularity: Granularity = .hourly, to: Int64? = nil
      ) async throws -> Range<Int64> {
        let windows = try await place.query.exportUsage(
          ExportUsageRequest(
            caller: .operator, to: to.map { Hour(index: $0) }, granularity: granularity)
        ).windows
        return windows.lowerBound.index..<windows.upperBound.index
      }
      try place.count([], next: 2, open: 499_600)
      #expect(try await windows() == 499_600..<499_600)
      let series = Self.series("s")
      try place.count(
        [(499_634, series, 499_634, Quantity(1)), (499_660, series, 499_660, Quantity(1))],
        next: 3, open: 499_690)
      #expect(try await windows() == 499_634..<499_690)
      #expect(try await windows(.daily) == 499_632..<499_680)
      #expect(try await windows(to: 499_640) == 499_634..<499_640)
      // Of the time before there is nothing, and that is said.
      #expect(try await windows(to: 499_000) == 499_000..<499_000)
    }
  }

  @Test func `a file is the same whatever files were made before it`() async throws {
    try await withPlace { place in
      let rows = (0..<30).map { number in
        (
          Int64(499_632 + number % 26), Self.series("s\(number % 3)", uri: "=\(number % 5)"),
          Int64(499_632), Quantity(Int32(number))
        )
      }
      try place.count(rows, next: 3, open: 499_700)
      var questions: [ExportUsageRequest] = []
      for format in [ExportUsageRequest.Format.csv, .ndjson] {
        for granularity in [Granularity.hourly, .daily] {
          questions.append(
            ExportUsageRequest(caller: .operator, granularity: granularity, format: format))
          questions.append(
            ExportUsageRequest(
              caller: .tenant(subscriptions: ["s1"]), granularity: granularity, format: format))
        }
        questions.append(
          ExportUsageRequest(
            caller: .operator, format: format, restatedSince: Hour(index: 499_650)))
      }
      var alone: [String] = []
      for question in questions {
        _ = place.query.exportTexts.take(question.format)
        alone.append(try await place.file(question).text)
      }
      #expect(Set(alone).count == questions.count)
      for _ in 0..<2 {
        for (question, text) in zip(questions, alone) {
          #expect(try await place.file(question).text == text)
        }
      }
    }
  }

  @Test func `what was restated since an export is a delta of each series and usage day`()
    async throws
  {
    try await withPlace { place in
      let (a, b) = (Self.series("a"), Self.series("b"))
      try place.count(
        [
          (499_632, a, 499_632, Quantity(1)), (499_640, a, 499_633, Quantity(2)),
          (499_660, a, 499_635, Quantity(4)), (499_661, a, 499_632, Quantity(-1)),
          (499_661, b, 499_610, Quantity(8)), (499_661, b, 499_661, Quantity(16)),
        ], next: 3, open: 499_662)
      func restated(since window: Int64) async throws -> [String] {
        try await place.file(
          ExportUsageRequest(
            caller: .operator, format: .ndjson, restatedSince: Hour(index: window))
        ).text.split(separator: "\n").map(String.init)
      }
      let lines = try await restated(since: 499_660)
      #expect(lines.count == 2)
      #expect(lines[0].contains(#""subscriptionId":"b""#) && lines[0].contains(#""quantity":"8""#))
      #expect(lines[1].contains(#""subscriptionId":"a""#) && lines[1].contains(#""quantity":"3""#))
      #expect(lines[1].contains(#"-20261231-r499660-499662""#))
      #expect(try await restated(since: 499_662) == [])
      // In the middle of a day, only its hours that were over count as restated.
      #expect(try await restated(since: 499_634).count == 2)
    }
  }

  @Test func `a wrong question is refused with the name of its field`() async throws {
    try await withPlace { place in
      try place.count(
        [(499_655, Self.series("s"), 499_654, Quantity(1))], next: 3, open: 499_656)
      func field(_ request: ExportUsageRequest) async -> String? {
        do throws(QueryError) {
          _ = try await place.query.exportUsage(request)
          return nil
        } catch {
          guard case .invalid(let field, _) = error else { return "\(error)" }
          return field
        }
      }
      let hour = Hour(index: 499_655)
      let good = ExportUsageRequest(caller: .operator)
      #expect(await field(good) == nil)
      var request = good
      request.granularity = .monthly
      #expect(await field(request) == "granularity")
      request.granularity = .daily
      request.to = hour
      #expect(await field(request) == "to_window")
      request = ExportUsageRequest(caller: .operator, from: hour, to: Hour(index: 1))
      #expect(await field(request) == "to_window")
      request = ExportUsageRequest(caller: .operator, from: hour, restatedSince: hour)
      #expect(await field(request) == "restated_since")
      request = ExportUsageRequest(caller: .operator, pageToken: "nonsense")
      #expect(await field(request) == "page_token")
      let cursor = ExportCursor(
        place: UsageCursor(window: 1, series: 2, usage: 3), windows: hour..<hour, rows: 4)
      let tokens = ExportTokens(key: Self.key)
      let token = tokens.token(for: cursor, of: good)
      #expect(tokens.cursor(token, of: good) == cursor)
      #expect(
        tokens.cursor(token, of: ExportUsageRequest(caller: .tenant(subscriptions: ["s"]))) == nil)
      #expect(
        tokens.cursor(token, of: ExportUsageRequest(caller: .operator, format: .ndjson)) == nil)
    }
  }

  @Test(arguments: [
    ("=1", true), ("+1", true), ("-1", true), ("@x", true), ("\tx", true), ("\rx", true),
    ("＝1", true), ("＋1", true), ("－1", true), ("＠x", true), ("x=1", false), (" =1", false),
    ("", false), ("é", false), ("\n=1", false),
  ])
  func `a text that a spreadsheet would run begins with an apostrophe`(text: String, isOne: Bool) {
    var bytes: [UInt8] = []
    CSVText.append(text, to: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == (isOne ? "'" + text : text))
  }

  @Test func `a part is smaller than a message, whatever the texts are`() async throws {
    try await withPlace { place in
      // Each of these bytes is six in JSON.
      let info = String(repeating: "\u{1}", count: 8000)
      let rows = (0..<400).map { number in
        (
          Int64(499_600), Self.series("s", uri: "/r/\(number)", info: info), Int64(499_600),
          Quantity(1)
        )
      }
      try place.count(rows, next: 3, open: 499_601)
      var request = ExportUsageRequest(caller: .operator, format: .ndjson)
      var count = 0
      repeat {
        let part = try await place.query.exportUsage(request)
        #expect(part.data.count <= ExportLimits.dataBytesMax)
        count += part.data.count { $0 == 0x0A }
        request.pageToken = part.nextPageToken
      } while !request.pageToken.isEmpty
      #expect(count == 400)
    }
  }
}
