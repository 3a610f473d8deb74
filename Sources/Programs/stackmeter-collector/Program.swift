import CollectorServer
import Logging
import StackmeterCore
import StackmeterJournal
import StackmeterRPC
import StackmeterRuntime

/// Keeps every reported event exactly once.
@main
struct Program {
  static func main() async {
    await ServiceProgram.main("collector") { settings, logger in
      try StateLock.take("\(settings.stateDirectory)/collector.lock")
      let collector = try open(settings, try meterCatalog(settings.meterCatalog), logger)
      let server = try RPCServer(
        socketPath: settings.socketPath("collector"), endpoints: [CollectorEndpoint(collector)],
        logger: logger)
      // Parts stop in the reverse order: no more calls first, then what still waits for the disk.
      return [
        StoppablePart(run: collector.run, stop: collector.stop),
        StoppablePart(run: server.run, stop: server.stop),
      ]
    }
  }

  /// A journal that another start would refuse again is a matter of the settings.
  private static func open(
    _ settings: Settings, _ catalog: MeterCatalog, _ logger: Logger
  ) throws -> Collector {
    do throws(RecordLogError) {
      return try Collector(
        configuration: CollectorConfiguration(settings), catalog: catalog, disk: FileDisk(),
        clock: SystemClock(), logger: logger,
        segmentBytesMax: settings.journalSegmentMebibytes << 20)
    } catch {
      guard case .newer = error else { throw error }
      throw SettingsError(problems: [error.description])
    }
  }
}
