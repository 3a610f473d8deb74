internal import StackmeterCore
internal import StackmeterRuntime

/// The questions of a run, put to a gateway over HTTP: pages and a file of a day.
struct GatewayQuestions: Sendable {
  let port: Int
  let token: String
  let dataset: UsageDataset

  private var headers: [String] { ["Authorization: Bearer \(token)"] }

  /// Asks for one page after the other, and counts what each has.
  func ask(_ questions: [UsageQuestion]) async throws -> QueryRun.Asked {
    let asked = await blocking { Result { () throws(BenchFailure) in try pages(questions) } }
    return try asked.get()
  }

  private func pages(_ questions: [UsageQuestion]) throws(BenchFailure) -> QueryRun.Asked {
    let connection = try HTTPConnection(port: port)
    var asked = QueryRun.Asked()
    for question in questions {
      try Interruption.check()
      guard case .page(let windows, let subscription) = question else { continue }
      var target = "/v1/usage?pageSize=\(UsageQuestion.pageSize)&\(range(windows))"
      if let subscription {
        let first = Int(dataset.seriesRange(subscription).lowerBound)
        target += "&subscription=\(dataset.series[first].subscription)"
      }
      let begin = ContinuousClock.now
      let answer = try connection.exchange("GET", target, headers: headers, body: [])
      let elapsed = ContinuousClock.now - begin
      let rows = answer.body.count(of: #""usageStart""#)
      guard answer.status == 200, rows == question.expected(dataset).rows else {
        throw failure(target, answer.status, rows)
      }
      asked.latencies.record(elapsed)
      asked.elapsed += elapsed
      asked.rows += rows
    }
    return asked
  }

  /// Takes the last day as a file of CSV.
  func exportFile() async throws -> QueryRun.Asked {
    let asked = await blocking { Result { () throws(BenchFailure) in try dayFile() } }
    return try asked.get()
  }

  private func dayFile() throws(BenchFailure) -> QueryRun.Asked {
    let last = dataset.windows.upperBound
    let target = "/v1/exports/usage?format=csv&\(range((last - 24)..<last))"
    let connection = try HTTPConnection(port: port)
    var lines = 0
    let begin = ContinuousClock.now
    let status = try connection.stream(target, headers: headers) { bytes in
      lines += bytes.reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
    }
    var asked = QueryRun.Asked()
    asked.elapsed = ContinuousClock.now - begin
    asked.latencies.record(asked.elapsed)
    asked.rows = lines - 1
    guard status == 200,
      asked.rows == dataset.page((last - 24)..<last, nil, limit: .max).rows
    else { throw failure(target, status, asked.rows) }
    return asked
  }

  private func range(_ windows: Range<Int64>) -> String {
    "from=\(Hour(index: windows.lowerBound).start)&to=\(Hour(index: windows.upperBound).start)"
  }

  private func failure(_ target: String, _ status: Int, _ rows: Int) -> BenchFailure {
    BenchFailure("the gateway answered \(target) with \(status) and \(rows) rows")
  }
}

extension [UInt8] {
  /// How often a text stands in it.
  fileprivate func count(of text: StaticString) -> Int {
    let text = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    return withUnsafeBufferPointer { bytes in
      var count = 0
      var start = 0
      while start + text.count <= bytes.count {
        if bytes[start] == text[0],
          UnsafeBufferPointer(rebasing: bytes[start..<start + text.count]).elementsEqual(text)
        {
          count += 1
          start += text.count
        } else {
          start += 1
        }
      }
      return count
    }
  }
}
