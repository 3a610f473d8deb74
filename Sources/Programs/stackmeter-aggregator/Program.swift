import AggregatorServer
import CollectorClient
import StackmeterRPC
import StackmeterRuntime
import StackmeterStore

/// Turns the journal into the usage database.
@main
struct Program {
  static func main() async {
    await ServiceProgram.main("aggregator") { settings, logger in
      try StateLock.take("\(settings.stateDirectory)/aggregator.lock")
      let aggregator = try Aggregator(
        store: try openStore(settings),
        catalog: try meterCatalog(settings.meterCatalog),
        configuration: AggregatorConfiguration(
          latenessLimitDays: settings.latenessLimitDays,
          retentionMonths: settings.usageRetentionMonths), logger: logger)
      let server = try RPCServer(
        socketPath: settings.socketPath("aggregator"), endpoints: [AggregatorEndpoint(aggregator)],
        logger: logger)
      return [
        StoppablePart {
          try await withRPCChannel(socketPath: settings.socketPath("collector")) { channel in
            try await aggregator.run(collector: CollectorClient(channel))
          }
        },
        StoppablePart { try await aggregator.runMaintenance() },
        StoppablePart {
          let database = settings.usageDatabase
          try await Scrubber(
            open: { () throws(StoreError) in try SQLiteUsageReader(path: database) },
            report: { aggregator.note(damage: $0) }
          ).run()
        },
        StoppablePart(run: server.run, stop: server.stop),
      ]
    }
  }

  /// A database that another start would refuse again is a matter of the settings.
  private static func openStore(_ settings: Settings) throws -> SQLiteUsageStore {
    do {
      return try SQLiteUsageStore(path: settings.usageDatabase, cell: settings.cell)
    } catch {
      guard error.kind == .newerSchema || error.kind == .otherCell else { throw error }
      throw SettingsError(problems: [error.message])
    }
  }
}
