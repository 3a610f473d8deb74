internal import StackmeterRuntime

/// One reporter with an HTTP connection: a batch of CloudEvents with each request, one after the other.
enum GatewayLoad {
  static func run(
    _ workload: Workload, number: Int, newCount: UInt64, batchEvents: Int, port: Int,
    token: String
  ) async throws -> LoadFigures {
    let answer = await blocking {
      Result { () throws(BenchFailure) in
        try report(workload, number, newCount, batchEvents, port, token)
      }
    }
    return try answer.get()
  }

  private static func report(
    _ workload: Workload, _ number: Int, _ newCount: UInt64, _ batchEvents: Int, _ port: Int,
    _ token: String
  ) throws(BenchFailure) -> LoadFigures {
    let connection = try HTTPConnection(port: port)
    let headers = [
      "Authorization: Bearer \(token)", "Content-Type: application/cloudevents-batch+json",
    ]
    var text = CloudEventText(workload)
    var reporter = Reporter(workload, number: number, inFlight: 1)
    var figures = LoadFigures()
    while reporter.newCount < newCount {
      try Interruption.check()
      let prepared = reporter.next(batchEvents, newMax: newCount - reporter.newCount)
      let body = text.array(prepared)
      let sent = ContinuousClock.now
      let answer = try connection.exchange("POST", "/v1/events", headers: headers, body: body)
      figures.latencies.record(ContinuousClock.now - sent)
      let expected = prepared.expected
      let wanted =
        #"{"accepted":\#(expected.newCount),"duplicates":\#(expected.retryCount),"parked":0,"rejected":[]}"#
      guard answer.status == 202, answer.body.starts(with: wanted.utf8) else {
        throw BenchFailure(
          "the gateway answered \(answer.status) \(String(decoding: answer.body.prefix(500), as: UTF8.self))"
            + ", not \(wanted)")
      }
      figures.accepted += UInt64(expected.newCount)
      figures.duplicates += UInt64(expected.retryCount)
    }
    return figures
  }
}
