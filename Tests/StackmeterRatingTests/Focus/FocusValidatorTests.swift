import Glibc
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Testing

@testable import StackmeterRating

/// Readers that are not ours: the two public validators of FOCUS, DuckDB and pandas, on two months of everything.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FocusValidatorTests {
  /// What a file claims to support, so that the validator applies the rules for it.
  static let claims = """
    ACCOUNT_NAMING_SUPPORTED MULTIPLE_PRICING_CATEGORIES_SUPPORTED MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED \
    MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED NEGOTIATED_PRICING_SUPPORTED PUBLIC_PRICE_LIST_SUPPORTED \
    USAGE_MEASUREMENT_SUPPORTED UNIT_PRICING_SUPPORTED SUB_ACCOUNT_SUPPORTED \
    BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED RESOURCE_TYPE_ASSIGNMENT_SUPPORTED \
    PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED REGION_SUPPORTED TAGGING_SUPPORTED
    """.split(separator: " ").joined(separator: ",")

  /// The closed statements of the script, a statement of usage with tags, and a draft.
  private static func bills() async throws -> [(statement: Statement, charges: [Charge])] {
    var runner = ScriptRunner(
      try ScriptTests.read("\(ScriptTests.folder)/everything.usage"), PureRatingSystem())
    try await runner.run()
    var bills = runner.system.closed.sorted { $0.key < $1.key }.flatMap { closed in
      closed.value.sorted { $0.key < $1.key }.map(\.value)
    }
    #expect(bills.count >= 4)
    let rater = Rater(try RateBook([smallCard("meter m\nrate\nprice 0.0000123\n")]))
    for (subscription, number) in [("tagged", "2026-000099"), ("drafted", nil)] {
      let charges = try rated(
        [
          usage("3", subscription: subscription, location: "west", tags: #"{"dept":"fin, =1"}"#),
          usage("0.5", subscription: subscription, uri: "/r/x", tags: #"{"a\"b":""}"#),
        ], rater
      ).charges
      let draft = try draft(rater, charges, subscription: subscription, settles: number != nil)
      bills.append(
        (try number.map { try draft.statement.closed(number: $0) } ?? draft.statement, charges))
    }
    return bills
  }

  private static func catalog() throws -> MeterCatalog {
    try MeterCatalog(json: fileContent("\(Cluster.root)/deploy/config/meters.json"))
  }

  /// The directory with a virtual environment for each version of the validator.
  private static func environments() throws -> String {
    try #require(
      processEnvironment()["STACKMETER_TEST_FOCUS"],
      "STACKMETER_TEST_FOCUS must name a directory with focus-validator; deploy/test makes one")
  }

  /// Runs a validator; both must be run where they are installed, to find their own files.
  private static func validate(
    _ bytes: [UInt8], version: String, _ arguments: [String]
  ) async throws -> String {
    let environment = "\(try environments())/\(version)"
    return try await withTemporaryDirectory { directory in
      try write(bytes, "\(directory)/focus.csv")
      let (status, output) = try await Cluster.run(
        "/bin/sh",
        [
          "-c", #"cd "$0"/lib/python3*/site-packages && exec "$0/bin/focus-validator" "$@""#,
          environment, "--data-file", "\(directory)/focus.csv",
        ] + arguments,
        environment: [
          "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8",
        ],
        outputPath: "\(directory)/output")
      // Neither says by its exit code what it found; it does where it could not run.
      #expect(status == .exited(0), "\(output)")
      return output
    }
  }

  private static func write(_ bytes: [UInt8], _ path: String) throws {
    let file = try #require(fopen(path, "w"))
    defer { fclose(file) }
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
  }

  private static func validate12(_ bytes: [UInt8]) async throws -> String {
    try await validate(
      bytes, version: "2.2.1",
      ["--validate-version", "1.2", "--block-download", "--applicability-criteria", claims])
  }

  /// The rules that failed, by their names.
  private static func failures(_ output: String) -> [String] {
    output.split(separator: "\n").compactMap { line in
      guard line.contains(": FAIL"), let end = line.firstIndex(of: ":") else { return nil }
      return line[..<end].split(separator: " ").last.map(String.init)
    }
  }

  @Test func `focus-validator 2_2_1 finds the rules of FOCUS 1_2 kept`() async throws {
    let file = try await focusFile(Self.bills(), catalog: Self.catalog())
    #expect(FocusRules(try FocusFile(file)).faults.isEmpty)
    let output = try await Self.validate12(file)
    // Their columns, and what is in them. With rules that do not apply to us it says nothing of the whole.
    for part in ["CostAndUsage-D-001-M", "CostAndUsage-D-002-M"] {
      #expect(output.contains("\(part): AND passed"), "\(output)")
    }
    let passed = output.firstMatch(of: #/Total: 578 \| Pass: (\d+) /#).flatMap { Int($0.output.1) }
    #expect(passed ?? 0 >= 298, "\(output)")
    // It and its opposite, InvoiceId-C-005, carry no condition: one of them fails always.
    #expect(Self.failures(output) == ["InvoiceId-C-004-C"], "\(output)")
  }

  @Test func `focus-validator 1_0_0 takes the form that is for it`() async throws {
    let file = try await focusFile(Self.bills(), catalog: Self.catalog(), form: .validator)
    let output = try await Self.validate(file, version: "1.0.0", ["--validate-version", "1.0"])
    #expect(output.contains("Validation succeeded."), "\(output)")
  }

  /// That they find something at all.
  @Test func `the validators refuse a file that is wrong`() async throws {
    let text = String(
      decoding: try await focusFile(Self.bills(), catalog: Self.catalog(), form: .validator),
      as: UTF8.self)
    let wrong = Array(text.replacing(",EUR,", with: ",eur,").utf8)
    let new = try await Self.validate12(wrong)
    #expect(Self.failures(new).contains("BillingCurrency-C-003-M"), "\(new)")
    let old = try await Self.validate(wrong, version: "1.0.0", ["--validate-version", "1.0"])
    #expect(old.contains("Validation failed!"), "\(old)")
  }

  @Test func `DuckDB and pandas read the sums of the statements`() async throws {
    let bills = try await Self.bills()
    let bytes = try focusFile(bills, catalog: Self.catalog())
    try await withTemporaryDirectory { directory in
      try Self.write(bytes, "\(directory)/focus.csv")
      let (status, output) = try await Cluster.run(
        "\(try Self.environments())/2.2.1/bin/python",
        [
          "\(Cluster.root)/Tests/StackmeterRatingTests/Focus/read_focus.py",
          "\(directory)/focus.csv",
        ],
        environment: ["PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"],
        outputPath: "\(directory)/output")
      #expect(status == .exited(0), "\(output)")
      let totals = bills.map { bill in
        let statement = bill.statement
        return
          "\(statement.number ?? "provisional/\(statement.period)/\(statement.subscription.id)")"
          + " \(statement.total?.amountText ?? "")"
      }.sorted()
      for reader in ["duckdb", "pandas"] {
        #expect(
          output.split(separator: "\n").filter { $0.hasPrefix("\(reader) ") }
            .map { String($0.dropFirst(reader.utf8.count + 1)) } == totals, "\(output)")
      }
    }
  }
}
