import CollectorServer
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
      let collector = try Collector(
        configuration: CollectorConfiguration(settings),
        catalog: try meterCatalog(settings.meterCatalog), disk: FileDisk(), clock: SystemClock(),
        logger: logger, segmentBytesMax: settings.journalSegmentMebibytes << 20)
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
}
