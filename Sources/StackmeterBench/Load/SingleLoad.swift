internal import CollectorClient
internal import StackmeterCore
internal import StackmeterRPC

/// One reporter that sends one event with each `Report` and waits for its answer.
enum SingleLoad {
  static func run(
    _ workload: Workload, number: Int, newCount: UInt64, _ channel: any RPCChannel
  ) async throws -> LoadFigures {
    let client = CollectorClient(channel)
    var reporter = Reporter(workload, number: number, inFlight: 1)
    var check = AnswerCheck()
    var figures = LoadFigures()
    while reporter.newCount < newCount {
      let prepared = reporter.next(1)
      let event = prepared.batch.event(0)
      let sent = ContinuousClock.now
      let results = try await client.report([event])
      figures.latencies.record(ContinuousClock.now - sent)
      try check.take(results, prepared.expected)
    }
    figures.accepted = check.accepted
    figures.duplicates = check.duplicates
    return figures
  }
}
