import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

@Suite struct FocusTests {
  private let catalog: MeterCatalog
  private let rater: Rater

  init() throws {
    catalog = try MeterCatalog([
      Meter(
        id: "M", name: "Disk", unit: "GB*hours", category: "Storage", resourceProvider: "p",
        aggregation: .sum, isBillable: true)
    ])
    rater = Rater(
      try RateBook([
        smallCard(
          """
          meter m
          rate
          graduated
          up-to 100 1
          beyond 0.333
          minimum 1000
          rate in west
          price 0.125
          discount 10%
          meter calls
          unit requests
          rate
          price 2 per started 10000
          """)
      ]))
  }

  private func bill(
    _ rows: [UsageAggregate], number: String? = "2026-000007", settled: BillingPeriod? = november
  ) throws -> (statement: Statement, charges: [Charge]) {
    let charges = try rated(rows, rater, settled: settled).charges
    let draft = try draft(rater, charges, settles: settled != nil).statement
    return (try number.map { try draft.closed(number: $0, acceptsUnrated: true) } ?? draft, charges)
  }

  private func file(
    _ bills: [(statement: Statement, charges: [Charge])], form: FocusForm = .focus
  ) throws -> FocusFile {
    let file = try FocusFile(focusFile(bills, catalog: catalog, form: form))
    #expect(FocusRules(file).faults.isEmpty)
    return file
  }

  @Test func `there are the 57 columns of FOCUS 1_2 and then ours`() throws {
    #expect(FocusRules.focusColumns.count == 57)
    let columns = try file([]).columns
    #expect(Array(columns.prefix(57)) == FocusRules.focusColumns)
    #expect(columns.count > 57 && columns.dropFirst(57).allSatisfy { $0.hasPrefix("x_") })
    let validator = try file([], form: .validator).columns
    #expect(
      Array(validator.dropFirst(columns.count)) == [
        "ChargeType", "InvoiceIssuer", "Provider", "Publisher", "ResourceID",
      ])
  }

  @Test func `a charge of usage is a row with its prices, its resource and its service`() throws {
    let uri = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/disks/d1"
    let row = try #require(
      file([
        bill([
          usage(
            "0.3", "2026-11-03T10", location: "West", uri: uri, tags: #"{"a":"b,\"c\""}"#)
        ])
      ]).rows.first)
    let expected = [
      "BilledCost": "0.03375", "BillingAccountId": "/subscriptions/s", "BillingAccountName": "s",
      "BillingAccountType": "Subscription", "BillingCurrency": "EUR",
      "BillingPeriodStart": "2026-11-01T00:00:00Z", "BillingPeriodEnd": "2026-12-01T00:00:00Z",
      "ChargeCategory": "Usage", "ChargeDescription": "Disk", "ChargeFrequency": "Usage-Based",
      "ChargePeriodStart": "2026-11-03T10:00:00Z", "ChargePeriodEnd": "2026-11-03T11:00:00Z",
      "ConsumedQuantity": "0.3", "ConsumedUnit": "GB-Hours", "ContractedCost": "0.03375",
      "ContractedUnitPrice": "0.1125", "EffectiveCost": "0.03375", "InvoiceId": "2026-000007",
      "InvoiceIssuerName": "Contoso IT", "ListCost": "0.0375", "ListUnitPrice": "0.125",
      "PricingCategory": "Standard", "PricingCurrency": "EUR",
      "PricingCurrencyContractedUnitPrice": "0.1125", "PricingCurrencyEffectiveCost": "0.03375",
      "PricingCurrencyListUnitPrice": "0.125", "PricingQuantity": "0.3", "PricingUnit": "GB-Hours",
      "ProviderName": "Contoso IT", "PublisherName": "Contoso IT", "RegionId": "West",
      "RegionName": "West", "ResourceId": uri, "ResourceName": "d1",
      "ResourceType": "Microsoft.Compute/disks", "ServiceCategory": "Storage",
      "ServiceName": "Storage", "ServiceSubcategory": "Other (Storage)", "SkuId": "m",
      "SkuMeter": "Disk", "SkuPriceId": "m/test-1/in-west/tier-1",
      "SkuPriceDetails":
        #"{"x_Form":"price","x_Tier":1,"x_Package":"1","x_Location":"west"}"#,
      "SubAccountId": "/subscriptions/s", "SubAccountName": "s", "SubAccountType": "Subscription",
      "Tags": #"{"a":"b,\"c\""}"#, "x_BillingMeterId": "m", "x_ChargeKind": "usage",
      "x_ChargeStatus": "Final", "x_MeterUnit": "GB*hours", "x_RateCard": "test 1",
      "x_ReportingWindow": "2026-11-03T11:00:00Z",
    ]
    for name in Set(expected.keys).union(row.keys) {
      #expect(row[name] == expected[name], "\(name)")
    }
  }

  /// What many rows share is written once, and each must say what it would say by itself.
  @Test func `rows that share texts differ in what is their own`() throws {
    let bills = try ["a", "b"].map { subscription in
      let usages = try (0..<40).map { index in
        try usage(
          "\(index).5", "2026-11-0\(1 + index / 10)T0\(index % 8)", subscription: subscription,
          meter: ["m", "calls", "x"][index % 3], location: index % 4 == 0 ? "west" : "",
          uri: "/\(subscription)/\"\(index % 5)\"", tags: index % 2 == 0 ? #"{"a":"b,c"}"# : "",
          isProvisional: index > 30)
      }
      let charges = try rated(usages, rater, settled: november).charges
      return (try draft(rater, charges, subscription: subscription).statement, charges)
    }
    for form in FocusForm.allCases {
      let rows = try FocusFile(focusFile(bills, catalog: catalog, form: form)).rows
      var next = rows.filter { $0["x_ChargeKind"] != "rounding" }.makeIterator()
      for (statement, charges) in bills {
        let bill = FocusBill(statement, provider: "Contoso IT")
        #expect(Set(charges.map(\.kind)).isSuperset(of: [.usage, .unrated]))
        for charge in charges {
          let row = next.next()
          let alone = FocusRow(
            charge, of: FocusMeter(charge.meter, catalog[charge.meter]), on: bill)
          for column in FocusColumn.allCases {
            let text = alone.text(column).flatMap { $0.isEmpty ? nil : $0 }
            #expect(row?[column.rawValue] == text, "\(column.rawValue) of \(charge)")
          }
        }
      }
      #expect(next.next() == nil)
    }
  }

  @Test func `more resources than are remembered are written alike`() throws {
    let count = FocusMemory.entriesMax + 8
    // Each comes twice, and is forgotten in between.
    let usages = try (0..<2 * count).map { index in
      try usage(
        "1", "2026-11-01T0\(index / count)", uri: "/vms/\(index % count)",
        tags: #"{"n":"\#(index % count)"}"#)
    }
    let charges = try rated(usages, rater, settled: november).charges
    let statement = try draft(rater, charges).statement
    let rows = try FocusFile(focusFile([(statement, charges)], catalog: catalog)).rows
      .filter { $0["x_ChargeKind"] == "usage" }
    let used = charges.filter { $0.kind == .usage }
    #expect(rows.count == 2 * count && used.count == rows.count)
    for (row, charge) in zip(rows, used) {
      #expect(row["ResourceId"] == charge.usage?.series.resource.uri)
      #expect(row["Tags"] == charge.usage?.series.resource.tags)
    }
  }

  @Test func `tiers are rows, a minimum is one without prices, rounding is one a statement`()
    throws
  {
    let bill = try bill([usage("101.7", "2026-11-03T10"), usage("12345", meter: "calls")])
    let rows = try file([bill]).rows
    #expect(
      rows.map {
        "\($0["x_ChargeKind"] ?? "") \($0["BilledCost"] ?? "") \($0["PricingUnit"] ?? "")"
      } == [
        "usage 4.0 10000 Requests", "usage 100.0 GB-Hours", "usage 0.5661 GB-Hours",
        "minimum 899.4339 ",
      ])
    #expect(rows[0]["PricingQuantity"] == "2.0" && rows[0]["ConsumedQuantity"] == "12345.0")
    // Two lines of tiers and one of the minimum are rounded by themselves: 100.00 + 0.57 + 899.43.
    // That makes nothing to be said of rounding.
    #expect(bill.statement.total?.amountText == "1004.00")
    #expect(
      try file([bill]).sums(of: "BilledCost", by: "InvoiceId")
        == ["2026-000007": bill.statement.total?.cost])
  }

  /// FOCUS has a form for units, which a package in front of them must keep.
  @Test(arguments: [
    ("1", "GB*hours", "GB-Hours"), ("10000", "requests", "10000 Requests"),
    ("10", "Virtual core hours", "10 Core Hours"), ("2", "IP addresses", "2 IP Addresses"),
    ("10", "Requests count in 10,000s", "100000 Requests"), ("0.5", "GB*hours", "Packages"),
    ("9000000000000000000", "Requests count in 10,000s", "90000000000000000000000 Requests"),
    ("3", "", "3 Units"),
  ])
  func `packages have units as FOCUS writes them`(package: String, unit: String, text: String)
    throws
  {
    #expect(FocusUnit.text(try Quantity(parsing: package), unit) == text)
    #expect(
      text.wholeMatch(of: #/([0-9]+ )?[A-Za-z][A-Za-z0-9]*([ -][A-Za-z][A-Za-z0-9]*)*/#) != nil)
  }

  @Test func `what rounding makes is a row, so that the rows are the total`() throws {
    let bill = try bill([usage("0.3", location: "west")])
    let file = try file([bill])
    #expect(bill.statement.total?.amountText == "0.03")
    #expect(file.rows.map { $0["BilledCost"] } == ["0.03375", "-0.00375"])
    #expect(file.rows[1]["x_ChargeKind"] == "rounding")
    #expect(file.rows[1]["ServiceName"] == "Statement")
  }

  @Test func `usage without a price is a row of no cost`() throws {
    let row = try #require(file([bill([usage("5", meter: "x")])]).rows.first)
    #expect(row["x_ChargeKind"] == "unrated" && row["PricingCategory"] == "Other")
    #expect(row["SkuPriceId"] == "x/no-price" && row["ListUnitPrice"] == "0.0")
    #expect(row["ConsumedQuantity"] == "5.0" && row["BilledCost"] == "0.0")
    #expect(row["ServiceName"] == "Unnamed" && row["ServiceCategory"] == "Other")
    #expect(row["PricingUnit"] == "Units" && row["x_MeterUnit"] == nil)
  }

  @Test func `a draft has an invoice id of its own, and its rows are provisional`() throws {
    let rows = try file([bill([usage("5", isProvisional: true)], number: nil, settled: nil)]).rows
    #expect(rows[0]["InvoiceId"] == "provisional/2026-11/s")
    #expect(rows[0]["x_ChargeStatus"] == "Provisional")
  }

  @Test func `charges that are not those of the lines are refused`() throws {
    let bill = try bill([usage("5"), usage("7", "2026-11-04T00")])
    #expect(
      throws: FocusError.doesNotTie(
        subscription: "s", lines: bill.charges.cost, charges: bill.charges.dropLast().cost)
    ) {
      _ = try focusFile([(bill.statement, bill.charges.dropLast())], catalog: catalog)
    }
    let foreign = try rated([usage("1", subscription: "t")], rater).charges
    #expect(throws: FocusError.foreign(subscription: "t", period: november)) {
      _ = try focusFile([(bill.statement, foreign)], catalog: catalog)
    }
  }

  @Test func `memory is that of what was not taken`() throws {
    let bill = try bill([usage("5")])
    var writer = FocusWriter(provider: "p", catalog: catalog)
    let head = writer.take().count
    writer.begin(bill.statement)
    for _ in 0..<3 { try writer.add(bill.charges[0]) }
    let three = writer.byteCount
    _ = writer.take()
    #expect(head > 0 && three > 0 && writer.byteCount == 0)
    try writer.add(bill.charges[0])
    #expect(writer.byteCount * 3 == three)
  }

  @Test(arguments: [
    ("Compute", "Compute", "Other (Compute)"), ("key vault", "Security", "Secret Management"),
    ("Network", "Networking", "Other (Networking)"), ("Blockchain", "Other", "Other (Other)"),
    ("  ", "Other", "Other (Other)"),
  ])
  func `a category of the catalog has a place in FOCUS`(
    name: String, category: String, subcategory: String
  ) {
    let service = FocusService(category: name)
    #expect(service.category == category && service.subcategory == subcategory)
    #expect(service.name == (name == "  " ? "Unnamed" : name))
  }

  @Test func `units are named as FOCUS names them`() {
    for (unit, name) in [
      ("GB*hours", "GB-Hours"), ("(hours)", "Hours"), ("", "Units"), ("Florins", "Florins"),
    ] {
      #expect(FocusUnit.text(unit) == name)
    }
  }

  @Test func `the metadata says what each column is`() throws {
    for form in FocusForm.allCases {
      let json = try object(
        JSONValue(
          parsing: FocusMetadata.json(form, generator: "1.0"), limits: .configuration))
      #expect(json["FocusVersion"]?.string == "1.2")
      #expect(json["SchemaId"]?.string == FocusMetadata.schemaID(form))
      let columns = try (json["ColumnDefinition"]?.array ?? []).map(object)
      #expect(columns.map { $0["ColumnName"]?.string ?? "" } == (try file([], form: form).columns))
      let cost = columns.first { $0["ColumnName"]?.string == "BilledCost" }
      #expect(cost?["DataType"]?.string == "DECIMAL" && cost?["NumberScale"] == .number("36"))
      #expect(
        Set(columns.compactMap { $0["DataType"]?.string })
          == ["STRING", "DECIMAL", "DATETIME", "JSON"])
    }
  }

  private func object(_ value: JSONValue) throws -> JSONObject {
    try #require(JSONObject(value, path: ""))
  }
}
