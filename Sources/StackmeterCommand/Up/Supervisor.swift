internal import StackmeterRPC
internal import StackmeterRuntime
internal import Synchronization
internal import UnixSignals

/// Runs all services of one host until a signal, and stops them in the order in which nothing is lost:
/// who reports before who is reported to.
final class Supervisor: Sendable {
  /// In the order of the start; they stop in the reverse order.
  static let serviceNames = ["collector", "aggregator", "query", "bridge", "gateway", "agent"]

  enum End: Equatable, Sendable {
    /// A signal asked for it.
    case stopped
    /// Every service's settings are wrong.
    case refused
  }

  private let services: [SupervisedService]
  private let display: StateDisplay
  private let changes: AsyncStream<Void>
  private let stopping = StopSignal()

  init(
    settings: Settings, executables: String, arguments: [String], environment: [String: String]
  ) {
    let (changes, change) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    var environment = environment
    environment["STACKMETER_SUPERVISED"] = "1"
    services = Supervisor.serviceNames.map { name in
      SupervisedService(
        name: name, executable: "\(executables)/stackmeter-\(name)", arguments: arguments,
        environment: environment, probe: Supervisor.probe(name, settings),
        log: ServiceLog(directory: Supervisor.logDirectory(settings), service: name),
        changed: { change.yield() })
    }
    display = StateDisplay()
    self.changes = changes
  }

  static func logDirectory(_ settings: Settings) -> String { "\(settings.stateDirectory)/log" }

  private static func probe(_ name: String, _ settings: Settings) -> SupervisedService.Probe {
    switch name {
    case "agent": .running
    // A free port is known to the gateway alone.
    case "gateway":
      settings.gatewayPort == 0
        ? .running : .http(host: settings.gatewayHost, port: settings.gatewayPort)
    default: .health(socketPath: settings.socketPath(name))
    }
  }

  func run() async -> End {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    let allRefused = StopSignal()
    return await withTaskGroup { group in
      for service in services {
        group.addTask {
          await service.run()
          return Part.service
        }
      }
      group.addTask { await self.showChanges(allRefused) }
      group.addTask { await self.showTime() }
      group.addTask { await self.stop(on: signals, or: allRefused) }
      var left = services.count
      while left > 0, let part = await group.next() {
        if part == .service { left -= 1 }
      }
      group.cancelAll()
      display.show(services.map(\.machine))
      return allRefused.isRaised ? .refused : .stopped
    }
  }

  private enum Part {
    case service
    case other
  }

  private func showChanges(_ allRefused: StopSignal) async -> Part {
    for await _ in changes {
      let machines = services.map(\.machine)
      display.show(machines)
      if machines.allSatisfy(\.isRefused) { allRefused.raise() }
    }
    return .other
  }

  private func showTime() async -> Part {
    while !Task.isCancelled {
      display.show(services.map(\.machine))
      try? await Task.sleep(for: .seconds(1))
    }
    return .other
  }

  /// The first signal stops the services one after the other, the second kills all of them.
  private func stop(on signals: UnixSignalsSequence, or allRefused: StopSignal) async -> Part {
    await withTaskGroup { group in
      group.addTask {
        var iterator = signals.makeAsyncIterator()
        if await iterator.next() != nil { self.stopping.raise() }
        if await iterator.next() != nil { for service in self.services { service.kill() } }
      }
      group.addTask {
        await allRefused.wait()
        self.stopping.raise()
      }
      group.addTask {
        await self.stopping.wait()
        for service in self.services.reversed() {
          service.stop()
          await service.waitUntilStopped()
        }
      }
    }
    return .other
  }
}
