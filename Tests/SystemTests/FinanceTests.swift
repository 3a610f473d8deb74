import StackmeterBilling
import StackmeterCore
import StackmeterRating
import StackmeterRuntime
import StackmeterStore
import StackmeterTesting
import Testing

/// Statements and what is made of them, at the doors of real processes over closed windows.
@Suite(.serialized, .timeLimit(.minutes(4))) struct FinanceTests {
  /// The month before this one: it is over, whatever the date.
  private static let period = BillingPeriod(
    containing: Day(
      index: BillingPeriod(containing: SystemClock().now().hour.day).start.index - 1))
  private static let closed = "6f1c0a8e-0000-4000-8000-00000000000a"
  private static let draft = "6f1c0a8e-0000-4000-8000-00000000000b"
  private static let vm = "6dab500f-a4fd-49c4-956d-229bb9c8c793"
  private static let disk = "b4438d5d-453b-4ee1-b42a-dc72e377f1e4"

  /// Eight resources of two subscriptions over twenty hours; every third has no tag.
  private static let rows: [ClosedUsage.Row] = (0..<20).flatMap { hour in
    [closed, draft].flatMap { subscription in
      (0..<8).map { index in
        let window = Hour(index: period.start.firstHour.index + 48 + Int64(hour))
        return ClosedUsage.Row(
          window: window,
          series: Series(
            subscription: subscription, meter: index % 2 == 0 ? vm : disk,
            resource: Resource(
              uri: "/subscriptions/\(subscription)/resourceGroups/rg\(index % 3)/providers/"
                + "Microsoft.Compute/virtualMachines/vm\(index)",
              location: index % 2 == 0 ? "west" : "north",
              tags: index % 3 == 0 ? "" : #"{"env":"prod"}"#)),
          usageHour: window,
          quantity: Quantity(units: Int64(index + 1), attos: 333_333_333_333_333_333)!)
      }
    }
  }

  private static let card = """
    card standard
    version 1
    effective 2026-01-01
    currency EUR
    tax "without value added tax"
    meter \(vm)
      name "Base VM Size Hours"
      unit "VM hours"
      rate
        graduated
          up-to 100 0.01234
          beyond 0.011
        discount 10%
    meter \(disk)
      name "Managed disk"
      unit "GB*hours"
      rate
        price 0.0000777
        minimum 5.00

    """

  /// Writes usage and card, and closes the statement of one subscription, as an aggregator would have done.
  private static func write(_ path: String) throws {
    let text = Array(card.utf8)
    try ClosedUsage(path: path).write(
      rows, open: SystemClock().now().hour,
      directory: try SubscriptionDirectory(
        json: Array(
          #"{"subscriptions":[{"id":"\#(closed)","displayName":"Shop","owner":"ana@example.org","costCenter":"1000"}]}"#
            .utf8)))
    let store = try SQLiteUsageStore(path: path)
    defer { store.close() }
    try store.put(
      rateCard: StoredRateCard(
        name: "standard", version: 1, effective: Day(parsing: "2026-01-01")!, currency: "EUR",
        text: text),
      text: text)
    let reader = try UsageDatabase.sqlite(path: path, cell: "local").reader()
    let cards = try #require(try RateCards("standard", reader))
    let subscription = try #require(
      try reader.subscriptions(ids: [closed], after: "", limit: 1).first)
    let draft = try Biller(cards, subscription: subscription, period: period)
      .draft(reader, closedOnly: true)
    var numbers = StatementNumbers()
    let statement = try draft.closed(&numbers, card: "standard", acceptsUnrated: false)
    try store.put(statements: [statement])
  }

  @Test func `finance reads statements, FOCUS, showback and reconciliation, and all say the same`()
    async throws
  {
    let validators = try #require(
      processEnvironment()["STACKMETER_TEST_FOCUS"],
      "STACKMETER_TEST_FOCUS must name a directory with focus-validator; deploy/test makes one")
    try await withCluster { cluster in
      let token = try await cluster.operatorToken()
      try StateLock.makeDirectory(cluster.settings.stateDirectory)
      try Self.write(cluster.settings.usageDatabase)
      for service in ["query", "gateway"] { try cluster.start(service) }
      try await cluster.serving("query")
      let url = "http://127.0.0.1:\(cluster.settings.gatewayPort)"
      _ = try await eventually {
        try await Cluster.run(
          "/usr/bin/curl", ["-sS", "\(url)/healthz"], environment: ["PATH": "/usr/bin"],
          outputPath: "\(cluster.directory)/curl"
        ).output.contains("ok") ? true : nil
      }
      let (status, output) = try await Cluster.run(
        "\(validators)/2.2.1/bin/python",
        [
          "\(Cluster.root)/Tests/SystemTests/Python/finance_client.py", url, token,
          "\(Self.period)", Self.closed, validators, Self.claims, cluster.directory,
        ],
        environment: [
          "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8",
          "NO_PROXY": "*",
        ], outputPath: "\(cluster.directory)/finance.log")
      #expect(status == .exited(0), "\(output)")
      #expect(output.contains("finance ok"), "\(output)")
      try await feed(cluster, url, token)
      try await commands(cluster, "\(Self.period.year)-000001")
    }
  }

  /// The charges of the feed, by python-odata.
  private func feed(_ cluster: Cluster, _ url: String, _ token: String) async throws {
    let python = try #require(
      processEnvironment()["STACKMETER_TEST_PYTHON"],
      "STACKMETER_TEST_PYTHON must name a Python with the packages of deploy/test, which makes one")
    let made = try await cluster.command(
      "token", "create", "--role", "tenant", "--subscription", Self.closed)
    let tenant = String(made.output.split(separator: "\n").last ?? "")
    // The gateway reads its keys again a moment later.
    _ = try await eventually {
      try await Cluster.run(
        "/usr/bin/curl", ["-sS", "-u", "any:\(tenant)", "-w", "%{http_code}", "\(url)/v1/meters"],
        environment: ["PATH": "/usr/bin"], outputPath: "\(cluster.directory)/curl"
      ).output.hasSuffix("200") ? true : nil
    }
    let (status, output) = try await Cluster.run(
      python,
      [
        "\(Cluster.root)/Tests/SystemTests/Python/odata_charges.py", url, token, tenant,
        "\(Self.period)", Self.closed,
      ],
      environment: ["PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*"],
      outputPath: "\(cluster.directory)/odata.log")
    #expect(status == .exited(0) && output.contains("odata charges ok"), "\(output)")
  }

  /// The same by the command line.
  private func commands(_ cluster: Cluster, _ number: String) async throws {
    func command(_ arguments: String...) async throws -> String {
      let (status, output) = try await cluster.command(arguments)
      #expect(status == .exited(0), "\(arguments): \(output)")
      return output
    }
    let period = "\(Self.period)"
    let csv = try await command("statements", "show", number, "--csv")
    #expect(csv.hasPrefix("statement,status,") && csv.contains("\(number),closed,"))
    let page = try await command("statements", "show", number, "--html")
    #expect(page.contains("<h1>Statement \(number)</h1>"))
    let file = "\(cluster.directory)/by-command.csv"
    _ = try await command("export", "--focus", period, file)
    #expect(try fileContent(file) == fileContent("\(cluster.directory)/focus.csv"))
    let metadata = String(decoding: try fileContent(file + ".metadata.json"), as: UTF8.self)
    #expect(metadata.contains(#""FocusVersion":"1.2""#))
    let ties = try await command("statements", "reconcile", "--period", period, "--verbose")
    #expect(ties.contains("2 statements, 0 do not tie") && ties.contains("ok: "), "\(ties)")
    let shown = try await command(
      "statements", "showback", "--period", period, "--by", "costCenter", "--share", "10.00")
    #expect(
      shown.contains("1000") && shown.contains("(none)") && shown.contains("10.00"), "\(shown)")
    let explained = try await command("statements", "explain", number, "1")
    #expect(
      explained.contains("rate card standard version 1") && explained.contains("charges make"),
      "\(explained)")
  }

  /// What the file claims to support, so that the validator applies the rules for it.
  private static let claims = [
    "ACCOUNT_NAMING_SUPPORTED", "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED", "MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED", "PUBLIC_PRICE_LIST_SUPPORTED", "USAGE_MEASUREMENT_SUPPORTED",
    "UNIT_PRICING_SUPPORTED", "SUB_ACCOUNT_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED", "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED", "REGION_SUPPORTED", "TAGGING_SUPPORTED",
  ].joined(separator: ",")
}
