import AggregatorServer
import CollectorClient
import StackmeterDelivery
import StackmeterRPC
import StackmeterRuntime
import StackmeterStore

/// Turns the journal into the usage database.
@main
struct Program {
  static func main() async {
    await ServiceProgram.main("aggregator") { settings, logger in
      try StateLock.take("\(settings.stateDirectory)/aggregator.lock")
      let database = UsageDatabase(
        postgresql: settings.storePostgreSQL, path: settings.usageDatabase, cell: settings.cell)
      let catalog = try meterCatalog(settings.meterCatalog)
      let billing = BillingConfiguration(
        card: settings.rateCard, open: { () throws(StoreError) in try database.reader() })
      let opening = AggregatorOpening(logger: logger) {
        try Aggregator(
          store: try open(database), catalog: catalog,
          configuration: AggregatorConfiguration(
            latenessLimitDays: settings.latenessLimitDays,
            retentionMonths: settings.usageRetentionMonths,
            restatePath: "\(settings.stateDirectory)/restate.sqlite",
            billing: billing),
          logger: logger)
      }
      _ = try await opening.attempt()
      let server = try RPCServer(
        socketPath: settings.socketPath("aggregator"),
        endpoints: [AggregatorEndpoint(opening), BillingEndpoint(opening)],
        logger: logger, isReady: opening.isReady)
      let stopped = StopSignal()
      // Parts stop in the reverse order: the database is left when nothing writes any more.
      return [
        StoppablePart {
          await stopped.wait()
          // Where one part has failed, others may still write.
          if !Task.isCancelled { await opening.close() }
        } stop: {
          stopped.raise()
        },
        StoppablePart {
          try await withRPCChannel(socketPath: settings.socketPath("collector")) { channel in
            try await opening.run([
              { try await $0.run(collector: CollectorClient(channel)) },
              { try await $0.runMaintenance() },
              { try await DirectoryFile(path: settings.subscriptions).run($0) },
              { aggregator in
                try await BudgetWatch(
                  path: settings.budgets, source: settings.budgetSource, billing: billing,
                  clock: SystemClock()
                ).run(aggregator)
              },
              { aggregator in try await deliver(aggregator, settings) },
              { aggregator in
                try await Scrubber(
                  open: { () throws(StoreError) in try database.reader() },
                  report: { aggregator.note(damage: $0) }
                ).run()
              },
              { aggregator in
                try await Auditor(
                  open: { () throws(StoreError) in try database.reader() },
                  report: { aggregator.note(differences: $0) },
                  interval: .seconds(settings.auditIntervalSeconds)
                ).run(CollectorClient(channel))
              },
            ])
          }
        },
        StoppablePart(run: server.run, stop: server.stop),
      ]
    }
  }

  /// Tells of alerts where somebody is to be told.
  private static func deliver(_ aggregator: Aggregator, _ settings: Settings) async throws {
    guard !settings.budgetWebhook.isEmpty else {
      return try await Task.sleep(for: .seconds(1 << 30))
    }
    let sender = WebhookSender(
      url: settings.budgetWebhook, secrets: WebhookSecretFile(path: settings.budgetSecret),
      answerMax: AlertDelivery.answerMax, clock: SystemClock())
    do {
      try await AlertDelivery(clock: SystemClock()) {
        await sender.send(id: $0, type: "application/cloudevents+json", body: $1)
      }.run(aggregator)
    } catch {
      await sender.close()
      throw error
    }
  }

  /// A database that another start would refuse again is a matter of the settings.
  private static func open(_ database: UsageDatabase) throws -> any UsageStore {
    do throws(StoreError) {
      return try database.store()
    } catch {
      switch error.kind {
      case .newerSchema, .olderSchema, .otherCell:
        throw SettingsError(problems: [error.message])
      default: throw error
      }
    }
  }
}
