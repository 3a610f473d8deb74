import Glibc
import StackmeterCore
import StackmeterRuntime
import StackmeterStore
import StackmeterTesting
import Testing

/// Azure's own SDK, unmodified, against real processes over closed windows.
@Suite(.serialized, .timeLimit(.minutes(3))) struct AzureClientTests {
  /// The day before yesterday: its windows are over long before the one that the clients wait for.
  private static let day = Day(index: SystemClock().now().hour.day.index - 2)
  /// 125 resources × 20 windows: three pages, the last one not full. Late usage is reported once more in the last
  /// four windows.
  private static let many = "6f1c0a8e-0000-4000-8000-00000000000a"
  /// 50 resources × 20 windows: exactly one page.
  private static let page = "6f1c0a8e-0000-4000-8000-00000000000b"
  /// In the directory as deleted.
  private static let gone = "6f1c0a8e-0000-4000-8000-00000000000c"
  private static let meters = ["6dab500f-a4fd-49c4-956d-229bb9c8c793", "B4438D5D-453B-4EE1-B42A"]

  private static func series(_ subscription: String, _ index: Int) -> Series {
    Series(
      subscription: subscription, meter: meters[index % 2],
      resource: Resource(
        uri: "/subscriptions/\(subscription)/resourceGroups/rg/providers/Microsoft.Compute/"
          + "virtualMachines/vm\(index)", location: "northwest",
        tags: index % 3 == 0 ? #"{"RG":"rg"}"# : "",
        additionalInfo: index % 5 == 0 ? #"{"ServiceType":"Standard_F2s"}"# : ""))
  }

  /// Quarters, which a client's floating point numbers add up exactly.
  private static let rows: [ClosedUsage.Row] = (0..<20).flatMap { hour -> [ClosedUsage.Row] in
    let window = Hour(index: day.firstHour.index + Int64(hour))
    func row(_ subscription: String, _ index: Int, late hours: Int64 = 0) -> ClosedUsage.Row {
      ClosedUsage.Row(
        window: window, series: series(subscription, index),
        usageHour: Hour(index: window.index - hours),
        quantity: Quantity(units: Int64(index), attos: 250_000_000_000_000_000)!)
    }
    return (0..<125).map { row(many, $0) } + (0..<50).map { row(page, $0) } + [row(gone, 1)]
      + (hour >= 16 ? [row(many, 7, late: 10)] : [])
  }

  /// What a question about the day must be answered, from the rows.
  private static func answer(
    _ name: String, of subscription: String, _ granularity: String, details: Bool = true,
    caller: String
  ) -> JSONValue {
    struct Key: Hashable {
      let meter: String
      let uri: String
      let hour: Hour
      let window: Int64
    }
    let own = rows.filter { $0.series.subscription == subscription }
    let isDaily = granularity == "Daily"
    func keys(window: (ClosedUsage.Row) -> Int64) -> Int {
      Set(
        own.map { row in
          Key(
            meter: row.series.meter, uri: details ? row.series.resource.uri : "",
            hour: isDaily ? row.usageHour.day.firstHour : row.usageHour, window: window(row))
        }
      ).count
    }
    let lines = keys { isDaily || !details ? 0 : $0.window.index }
    let total = own.reduce(Quantity.zero) { $0.adding($1.quantity)! }
    return .object([
      .init(name: "name", value: .string(name)),
      .init(name: "subscription", value: .string(subscription)),
      .init(name: "granularity", value: .string(granularity)),
      .init(name: "details", value: .bool(details)),
      .init(name: "caller", value: .string(caller)),
      .init(name: "lines", value: .number("\(lines)")),
      .init(name: "keys", value: .number("\(keys { _ in 0 })")),
      .init(name: "total", value: .string(total.description)),
    ])
  }

  private static func failure(
    _ name: String, token: String, subscription: String = many, start: Instant = day.start,
    end: Instant = day.end, granularity: String = "Daily", status: Int, code: String, part: String
  ) -> JSONValue {
    .object([
      .init(name: "name", value: .string(name)),
      .init(name: "token", value: .string(token)),
      .init(name: "subscription", value: .string(subscription)),
      .init(name: "start", value: .string(start.description)),
      .init(name: "end", value: .string(end.description)),
      .init(name: "granularity", value: .string(granularity)),
      .init(name: "status", value: .number("\(status)")),
      .init(name: "code", value: .string(code)), .init(name: "part", value: .string(part)),
    ])
  }

  @Test(arguments: ["1.0.1", "6.0.0", "6.0.1"])
  func `azure-mgmt-commerce lists, pages, gets errors and waits, unmodified`(
    version: String
  ) async throws {
    let python = try #require(
      processEnvironment()["STACKMETER_TEST_PYTHON"],
      "STACKMETER_TEST_PYTHON must name a Python; deploy/test makes one")
    let packages = try #require(
      processEnvironment()["STACKMETER_TEST_AZURE"],
      "STACKMETER_TEST_AZURE must name a directory with azure-mgmt-commerce; deploy/test makes one")
    try await withCluster { cluster in
      let tokens = [
        ("operator", try await cluster.operatorToken()),
        ("tenant", try await tenantToken(cluster, Self.many)),
        ("stranger", try await tenantToken(cluster, Self.page)),
      ]
      try StateLock.makeDirectory(cluster.settings.stateDirectory)
      let usage = ClosedUsage(path: cluster.settings.usageDatabase)
      try usage.write(
        Self.rows, open: Self.day.end.hour,
        directory: try SubscriptionDirectory(
          json: Array(#"{"subscriptions":[{"id":"\#(Self.gone)","state":"deleted"}]}"#.utf8)))
      try Self.addRateCard(cluster.settings.usageDatabase)
      for service in ["query", "gateway"] { try cluster.start(service) }
      try await cluster.serving("query")
      let url = "http://127.0.0.1:\(cluster.settings.gatewayPort)"
      _ = try await eventually {
        try await Cluster.run(
          "/usr/bin/curl", ["-sS", "\(url)/healthz"], environment: ["PATH": "/usr/bin"],
          outputPath: "\(cluster.directory)/curl"
        ).output.contains("ok") ? true : nil
      }
      // The hour that ends now is not closed while the client asks for it.
      let last = Hour(index: SystemClock().now().hour.index - 1)
      try question(tokens, last).write(to: "\(cluster.directory)/question.json")
      async let closing: Void = {
        _ = try await eventually { () -> Bool? in
          access("\(cluster.directory)/waits-\(version)", F_OK) == 0 ? true : nil
        }
        try usage.write(
          [
            ClosedUsage.Row(
              window: last, series: Self.series(Self.page, 3), usageHour: last,
              quantity: Quantity(1))
          ], open: last.next)
      }()
      let (status, output) = try await Cluster.run(
        python,
        [
          "\(Cluster.root)/Tests/SystemTests/Python/azure_usage.py", version, url,
          cluster.directory,
        ],
        environment: [
          "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1",
          "PYTHONPATH": "\(packages)/\(version)", "NO_PROXY": "*",
        ], outputPath: "\(cluster.directory)/python.log")
      #expect(status == .exited(0), "\(output)")
      #expect(output.contains("\(version) waits for a window ok"), "\(output)")
      if status == .exited(0) { try await closing }
    }
  }

  /// A card with two meters, which a client reads as floats that lose nothing.
  private static func addRateCard(_ path: String) throws {
    let text = Array(
      """
      card standard
      version 1
      effective 2026-01-01
      currency EUR
      meter \(meters[0])
        name "VM"
        unit "Hours"
        rate
          price 0.5
        rate in west
          price 0.0078125
      meter \(meters[1])
        rate
          graduated per 10
            up-to 60 5
            beyond 2.5
          included 20

      """.utf8)
    let store = try SQLiteUsageStore(path: path)
    defer { store.close() }
    try store.put(
      rateCard: StoredRateCard(
        name: "standard", version: 1, effective: Day(parsing: "2026-01-01")!, currency: "EUR",
        text: text), text: text)
  }

  /// What the clients read of it.
  private static let rates = """
    {"subscription":"\(many)","meters":[
      {"meter":"\(meters[0])","name":"VM","unit":"Hours","region":"","included":0.0,
        "rates":{"0":0.5},"effective":"2026-01-01T00:00:00+00:00"},
      {"meter":"\(meters[0])","name":"VM","unit":"Hours","region":"west","included":0.0,
        "rates":{"0":0.0078125},"effective":"2026-01-01T00:00:00+00:00"},
      {"meter":"\(meters[1])","name":"","unit":"","region":"","included":20.0,
        "rates":{"0":0.5,"40":0.25},"effective":"2026-01-01T00:00:00+00:00"}]}
    """

  /// What the script asks, and what it must be answered.
  private func question(_ tokens: [(String, String)], _ last: Hour) -> [UInt8] {
    let day = Self.day
    let tenant = tokens[1].1
    let answers = [
      Self.answer("three pages", of: Self.many, "Hourly", caller: "operator"),
      Self.answer("a tenant's three pages", of: Self.many, "Hourly", caller: "tenant"),
      Self.answer("one page", of: Self.page, "Hourly", caller: "operator"),
      Self.answer("a day", of: Self.many, "Daily", caller: "tenant"),
      Self.answer(
        "hours without details", of: Self.many, "Hourly", details: false, caller: "tenant"),
      Self.answer(
        "days without details", of: Self.many, "Daily", details: false, caller: "operator"),
      Self.answer("a deleted subscription", of: Self.gone, "Daily", caller: "operator"),
    ]
    let failures = [
      Self.failure(
        "a time within an hour", token: tenant, start: day.start.advanced(by: .seconds(60)),
        granularity: "Hourly", status: 400, code: "InvalidProperty", part: "reportedStartTime"),
      Self.failure(
        "the future", token: tenant, end: Day(index: day.index + 3).start, status: 400,
        code: "RequestEndTimeIsInFuture", part: "reportedEndTime"),
      Self.failure(
        "a foreign subscription", token: tenant, subscription: Self.page, status: 404,
        code: "SubscriptionNotFound", part: Self.page),
      Self.failure(
        "no good token", token: "wrong", status: 401, code: "AuthenticationFailed", part: "API key"
      ),
    ]
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("start", string: day.start.description)
      writer.member("end", string: day.end.description)
      writer.member(
        "tokens",
        object: { writer in
          for (name, token) in tokens { writer.member(name, string: token) }
        })
      writer.member("answers", value: .array(answers))
      writer.member("failures", value: .array(failures))
      writer.member("rates", raw: Self.rates)
      writer.member(
        "unfinished",
        object: { writer in
          writer.member("subscription", string: Self.page)
          writer.member("start", string: last.start.description)
          writer.member("end", string: last.end.description)
          writer.member("lines", 1)
        })
    }
    return writer.bytes
  }

  private func tenantToken(_ cluster: Cluster, _ subscription: String) async throws -> String {
    let made = try await cluster.command(
      "token", "create", "--role", "tenant", "--subscription", subscription)
    return String(made.output.split(separator: "\n").last ?? "")
  }
}
