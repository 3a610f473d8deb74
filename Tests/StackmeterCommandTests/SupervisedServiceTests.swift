internal import Glibc
internal import StackmeterRuntime
internal import StackmeterTesting
internal import Testing

@testable import StackmeterCommand

/// Runs shell scripts in the place of services.
@Suite(.timeLimit(.minutes(1)))
struct SupervisedServiceTests {
  /// Supervises `script` and gives each state that is new to `observe` until that is content.
  private func supervise(
    _ script: String, until isContent: @escaping @Sendable (ServiceMachine) -> Bool,
    then end: (SupervisedService) -> Void
  ) async throws -> ServiceMachine {
    let directory = try TemporaryDirectory()
    let (changes, change) = AsyncStream.makeStream(of: Void.self)
    let service = SupervisedService(
      name: "script", executable: "/bin/sh", arguments: ["-c", script],
      environment: processEnvironment(), probe: .running,
      log: ServiceLog(directory: directory.path, service: "script"), changed: { change.yield() })
    async let running: Void = service.run()
    for await _ in changes where isContent(service.machine) { break }
    end(service)
    await running
    await service.waitUntilStopped()
    return service.machine
  }

  @Test
  func `a service that ends is started again and stops when asked`() async throws {
    let machine = try await supervise("exit 3") {
      $0.restarts == 2
    } then: {
      $0.stop()
    }
    #expect(machine.state == .stopped)
    #expect(machine.restarts >= 2)
  }

  @Test
  func `a service is asked to stop before it is killed`() async throws {
    let script = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
    let machine = try await supervise(script) {
      $0.word == "serving"
    } then: {
      $0.stop()
    }
    #expect(machine.state == .stopped)
    #expect(machine.restarts == 0)
  }

  @Test
  func `a service that does not listen can be killed`() async throws {
    let machine = try await supervise("trap '' TERM; while :; do sleep 0.05; done") {
      $0.word == "serving"
    } then: {
      $0.kill()
    }
    #expect(machine.state == .stopped)
  }

  @Test
  func `wrong settings are shown with the log's last line`() async throws {
    let script = """
      echo '{"message": "gateway.port: must be a whole number"}' >&2; exit 78
      """
    let machine = try await supervise(script) {
      $0.isRefused
    } then: {
      #expect($0.machine.problem == "gateway.port: must be a whole number")
      $0.stop()
    }
    #expect(machine.state == .stopped)
  }

  @Test
  func `a full log is emptied and one old one is kept`() throws {
    let directory = try TemporaryDirectory()
    let log = ServiceLog(directory: directory.path, service: "script")
    let descriptor = try log.open()
    defer { close(descriptor) }
    for text in ["first\n", "second\n", "third\n"] {
      log.rotateIfFull(bytesMax: 4)
      _ = Array(text.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }
    #expect(try fileContent(log.path) == Array("third\n".utf8))
    #expect(try fileContent(log.path + ".1") == Array("second\n".utf8))
    #expect(log.lastMessage() == "third")
  }

  @Test
  func `a run directory has one supervisor`() throws {
    let directory = try TemporaryDirectory()
    let lock = try UpLock(runDirectory: directory.path)
    #expect(
      throws: CommandFailure(
        "stackmeter up runs already in \(directory.path), pid \(getpid())", exitCode: EX_TEMPFAIL)
    ) {
      _ = try UpLock(runDirectory: directory.path)
    }
    _ = consume lock
    _ = try UpLock(runDirectory: directory.path)
  }
}
