import AggregatorClient
import CollectorClient
import QueryClient
import StackmeterCore
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import QueryServer

/// Every question that query answers about usage, asked by everybody who may ask it: the answer is the operator's
/// answer over a database that has nothing but what the caller may see.
@Suite(.timeLimit(.minutes(5))) struct OwnAnswersTests {
  // Over the turn of a month, and of many a day.
  private static let firstWindow: Int64 = 499_630
  private static let openWindow: Int64 = 499_670
  private static let names = ["a", "b", "c", "d", "e"]

  /// What the operator's file says: each subscription with its providers one after the other, with gaps.
  private struct Directory {
    var tenancies: [Tenancy] = []
    private(set) var json = ""

    init(_ random: inout SeededRandom) {
      var entries: [String] = []
      for (number, name) in names.enumerated() {
        var providers: [String] = []
        // The first one comes back to the same provider after a gap, whatever the random numbers are.
        var from = firstWindow - 30 + Int64(number)
        while from < openWindow + 5 {
          let until = from + Int64.random(in: 1...25, using: &random)
          if number == 0 || Int.random(in: 0..<3, using: &random) > 0 {
            let provider = number == 0 ? "p0" : "p\(Int.random(in: 0..<2, using: &random))"
            tenancies.append(
              Tenancy(
                provider: provider, subscription: name,
                hours: Hour(index: from)..<Hour(index: until)))
            providers.append(
              #"{"provider":"\#(provider)","from":"\#(Hour(index: from).start)","#
                + #""until":"\#(Hour(index: until).start)"}"#)
          }
          from = until + Int64.random(in: 1...5, using: &random)
        }
        entries.append(
          #"{"id":"\#(name)","owner":"o\#(number % 2)","tags":{"department":"d\#(number % 3)"},"#
            + #""providers":[\#(providers.joined(separator: ","))]}"#)
      }
      json = "{\"subscriptions\":[\(entries.joined(separator: ","))]}"
    }

    func isVisible(_ row: CountedRow, to caller: Caller) -> Bool {
      switch caller {
      case .operator: true
      case .tenant(let own): own.contains(row.series.subscription)
      case .provider(let provider):
        tenancies.contains {
          $0.provider == provider && $0.subscription == row.series.subscription
            && $0.hours.contains(Hour(index: row.hour))
        }
      case .reporter: false
      }
    }
  }

  private static func rows(_ random: inout SeededRandom) -> [CountedRow] {
    var rows: [String: CountedRow] = [:]
    for _ in 0..<260 {
      let window = Int64.random(in: firstWindow...openWindow, using: &random)
      let hour = window - Int64.random(in: -1...30, using: &random)
      let subscription = names.randomElement(using: &random)!
      let group = ["g1", "G1", "g2"].randomElement(using: &random)!
      let series = Series(
        subscription: subscription, meter: ["cpu", "DISK"].randomElement(using: &random)!,
        resource: Resource(
          uri: "/subscriptions/\(subscription)/resourceGroups/\(group)/vm",
          location: ["north", "south"].randomElement(using: &random)!,
          tags: ["", #"{"env":"prod"}"#, #"{"env":"test"}"#].randomElement(using: &random)!))
      rows["\(window) \(hour) \(series)"] = (
        window, series, hour, Quantity(Int32.random(in: -50...99, using: &random))
      )
    }
    return rows.sorted { $0.key < $1.key }.map(\.value)
  }

  private static let selections: [SeriesSelection] = {
    func select(_ body: (inout SeriesSelection) -> Void) -> SeriesSelection {
      var selection = SeriesSelection()
      body(&selection)
      return selection
    }
    return [
      .all,
      select { $0.resourceGroups = ["g1"] },
      select { $0.locations = ["north"] },
      select { $0.tags = [TagSelection(name: "env", value: nil)] },
      select { $0.resourceURIs = ["/subscriptions/a/resourceGroups/g1/vm"] },
      select { $0.resourceURIPrefixes = ["/subscriptions/b/", "/subscriptions/a/resource"] },
    ]
  }()

  /// A question by anybody, and what is told of each row of its answer.
  private struct Question {
    let name: String
    /// Whether each line is of one subscription, which stands in it.
    var isOfRows = true
    let ask: (QueryClient, Caller) async throws -> [String]
  }

  private static func questions(_ random: inout SeededRandom) -> [Question] {
    var questions: [Question] = []
    let hours = Hour(index: 499_608)..<Hour(index: 499_704)
    let months = Hour(index: 498_912)..<Hour(index: 500_400)
    for axis in [TimeAxis.reported, .usage] {
      for granularity in Granularity.allCases {
        for selection in [.all, selections.randomElement(using: &random)!] {
          let asOf = Bool.random(using: &random) ? Hour(index: openWindow - 7) : nil
          let meters = Bool.random(using: &random) ? ["Cpu"] : []
          let pageSize = UInt32.random(in: 3...90, using: &random)
          questions.append(
            Question(name: "\(axis) \(granularity) \(selection) \(asOf as Any)") { query, caller in
              try await walk(
                query,
                ListUsageRequest(
                  caller: caller, axis: axis, windows: granularity == .monthly ? months : hours,
                  granularity: granularity, meters: meters, series: selection, asOf: asOf,
                  pageSize: pageSize))
            })
        }
      }
      let groupings: [[Grouping]] = [
        [], [.subscription], [.day, .resourceGroup], [.month, .tag("env")], [.hour, .location],
        [.resource], [.owner], [.subscriptionTag("department"), .subscription],
      ]
      for grouping in groupings {
        let selection = selections.randomElement(using: &random)!
        let isOfDirectory = grouping.contains(where: \.isOfDirectory)
        let asOf = isOfDirectory || Bool.random(using: &random) ? nil : Hour(index: openWindow - 3)
        for top in [UInt32(0), 1, 2]
        where top == 0 || grouping.contains(where: { $0.granularity == nil }) {
          questions.append(
            Question(name: "totals \(axis) \(grouping) \(top)", isOfRows: false) { query, caller in
              try await query.summarize(
                SummarizeRequest(
                  caller: caller, axis: axis, hours: hours, groupings: grouping, series: selection,
                  asOf: asOf, top: top)
              ).map { "\($0)" }
            })
        }
      }
    }
    for granularity in [Granularity.hourly, .daily] {
      for format in [ExportUsageRequest.Format.csv, .ndjson] {
        let selection = selections.randomElement(using: &random)!
        questions.append(
          Question(name: "export \(granularity) \(format) \(selection)") { query, caller in
            try await lines(
              query,
              ExportUsageRequest(
                caller: caller, from: hours.lowerBound, granularity: granularity, format: format,
                series: selection))
          })
      }
    }
    for window in [firstWindow + 10, firstWindow + 26] {
      questions.append(
        Question(name: "restated since \(window)") { query, caller in
          try await lines(
            query,
            ExportUsageRequest(
              caller: caller, format: .ndjson, restatedSince: Hour(index: window)))
        })
    }
    return questions
  }

  private static func walk(
    _ query: QueryClient, _ question: ListUsageRequest
  ) async throws -> [String] {
    var (request, lines) = (question, [String]())
    repeat {
      let page = try await query.listUsage(request)
      lines += page.aggregates.map {
        "\($0.id) \"\($0.series.subscription)\" \($0.series) \($0.usageStart) \($0.usageEnd) "
          + "\($0.quantity) \($0.window) \($0.isProvisional) \($0.isFinal)"
      }
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return lines
  }

  private static func lines(
    _ query: QueryClient, _ question: ExportUsageRequest
  ) async throws -> [String] {
    var (request, bytes) = (question, [UInt8]())
    repeat {
      let part = try await query.exportUsage(request)
      bytes += part.data
      request.pageToken = part.nextPageToken
    } while !request.pageToken.isEmpty
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    return question.format == .csv ? Array(lines.dropFirst()) : lines
  }

  private func withQuery(
    _ engine: Engine, _ rows: [CountedRow], _ directory: Directory,
    _ body: (QueryClient) async throws -> Void
  ) async throws {
    try await withUsageDatabase(engine) { database in
      let store = try database.store()
      try store.replaceDirectory(try SubscriptionDirectory(json: Array(directory.json.utf8)))
      try store.count(rows, next: 9, open: Self.openWindow)
      try await withInProcessChannel(endpoints: []) { neighbour in
        let query = Query(
          database: database, tokenKey: Array(repeating: 1, count: 32),
          collector: CollectorClient(neighbour), aggregator: AggregatorClient(neighbour),
          clock: SimulatedClock(Hour(index: Self.openWindow).start))
        try await withInProcessChannel(endpoints: [QueryEndpoint(query)]) { channel in
          try await body(QueryClient(channel))
        }
        await query.stop()
      }
    }
  }

  private func answers(
    _ questions: [Question], _ query: QueryClient, _ caller: Caller
  ) async throws -> [[String]] {
    var answers: [[String]] = []
    for question in questions { answers.append(try await question.ask(query, caller)) }
    return answers
  }

  @Test(arguments: Engine.allCases)
  func `everybody's answer to every question is the operator's, less what is not theirs`(
    engine: Engine
  ) async throws {
    var random = try SeededRandom()
    let seed = random.seed
    let (rows, directory) = (Self.rows(&random), Directory(&random))
    let questions = Self.questions(&random)
    let own = Self.names.filter { _ in Bool.random(using: &random) }
    let callers: [Caller] = [
      .provider("p0"), .provider("p1"), .provider("p2"), .tenant(subscriptions: ["a"]),
      .tenant(subscriptions: own), .tenant(subscriptions: ["nobody"]), .reporter(sources: ["s"]),
    ]
    do {
      try await withQuery(engine, rows, directory) { query in
        let everything = try await answers(questions, query, .operator)
        try #require(everything.count { !$0.isEmpty } > questions.count * 3 / 4)
        for caller in callers {
          let told = try await answers(questions, query, caller)
          let visible = rows.filter { directory.isVisible($0, to: caller) }
          var expected: [[String]] = []
          try await withQuery(engine, visible, directory) { query in
            expected = try await answers(questions, query, .operator)
          }
          for (number, question) in questions.enumerated() {
            let (mine, theirs) = (told[number], expected[number])
            try #require(
              mine.sorted() == theirs.sorted(),
              "\(caller): \(question.name): \(Set(mine).symmetricDifference(theirs))")
            // A tenant's rows are the operator's rows, in their order.
            guard case .tenant(let own) = caller, question.isOfRows else { continue }
            let filtered = everything[number].filter { line in
              own.contains { line.contains("\"\($0)\"") }
            }
            try #require(mine == filtered, "\(caller): \(question.name)")
          }
        }
      }
    } catch {
      throw SeededFailure(seed: seed, cause: error)
    }
  }

  @Test(arguments: Engine.allCases)
  func `who gets the subscription later does not get its past, by any question`(
    engine: Engine
  ) async throws {
    var random = SeededRandom(seed: 3)
    let (rows, directory) = (Self.rows(&random), Directory(&random))
    let questions = Self.questions(&random)
    try await withQuery(engine, rows, directory) { query in
      let first = directory.tenancies.filter { $0.subscription == "a" && $0.provider == "p0" }
      #expect(first.count > 1)
      var request = ListUsageRequest(
        caller: .provider("p0"), axis: .usage,
        windows: Hour(index: 0)..<Hour(index: Self.openWindow + 1), granularity: .hourly,
        subscriptions: ["a"])
      for axis in [TimeAxis.usage, .reported] {
        request.axis = axis
        let seen = try await query.listUsage(request).aggregates
        #expect(!seen.isEmpty)
        for row in seen {
          #expect(first.contains { $0.hours.contains(row.usageStart.hour) })
        }
      }
      // A name that is no tenant's is the same as one that nobody has, in every kind of question.
      for question in questions.filter(\.isOfRows) {
        #expect(try await question.ask(query, .provider("nobody")).isEmpty)
      }
    }
  }
}
