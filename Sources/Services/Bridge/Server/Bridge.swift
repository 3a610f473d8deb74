internal import Glibc
package import Logging
package import QueryClient
internal import StackmeterCommerce
package import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterStore
package import StackmeterWire

/// Brings what closed windows have of billable meters to a remote commerce service, once, whatever the network does.
///
/// Two loops: one reads closed windows from query into the outbox, one sends what is in the outbox. Each step is one
/// transaction, so a process that is killed at any instant goes on where it was. Without a registration neither does
/// anything. One bridge has the directory.
package actor Bridge {
  typealias MakeSender = @Sendable (BridgeRegistration) throws -> any CommerceSender

  let configuration: BridgeConfiguration
  let query: QueryClient
  let clock: any HostClock
  let logger: Logger
  let directory: String
  let file: RegistrationFile
  let makeSender: MakeSender
  let reading = Wakeup()
  let sending = Wakeup()
  var registration: BridgeRegistration?
  /// Nil until there is a registration.
  var outbox: Outbox?
  var sender: (any CommerceSender)?
  var machine: DeliveryMachine
  var random = SystemRandomNumberGenerator()
  var alerts = AlertBook()
  /// What was last known of the outbox.
  var totals = OutboxTotals()
  var isRefused = false
  var readProblem = ""
  var lastAcknowledged: Instant?
  var attempts: UInt64 = 0
  var failures: UInt64 = 0

  /// `directory` is the bridge's own; it is made where there is none.
  package init(
    directory: String, query: QueryClient, configuration: BridgeConfiguration,
    clock: any HostClock, logger: Logger
  ) throws {
    let answerMax = configuration.answerMax
    try self.init(
      directory: directory, query: query, configuration: configuration, clock: clock,
      logger: logger
    ) { try HTTPCommerceSender($0, answerMax: answerMax) }
  }

  init(
    directory: String, query: QueryClient, configuration: BridgeConfiguration,
    clock: any HostClock, logger: Logger, makeSender: @escaping MakeSender
  ) throws {
    try StateLock.take("\(directory)/bridge.lock")
    self.directory = directory
    self.query = query
    self.configuration = configuration
    self.clock = clock
    self.logger = logger
    self.makeSender = makeSender
    file = RegistrationFile(path: "\(directory)/registration.json")
    machine = DeliveryMachine(configuration)
    registration = try file.read()
    if registration != nil { outbox = try Outbox(path: "\(directory)/outbox.sqlite") }
  }

  /// Until cancelled.
  package func run() async throws {
    await withTaskGroup { group in
      group.addTask { await self.read() }
      group.addTask { await self.send() }
      group.addTask { await self.watch() }
      await group.waitForAll()
    }
    await dropSender()
    await outbox?.close()
  }

  /// Registers, or changes the registration. What is in the outbox stays.
  package func register(_ request: RegisterBridgeRequest) async throws(BridgeError) -> BridgeStatus
  {
    let new: BridgeRegistration
    do throws(BridgeRegistrationError) {
      new = try BridgeRegistration(json: request.document)
    } catch {
      throw .registration(error.problems)
    }
    try await refreshTotals()
    if let old = registration, old.site != new.site, totals.pending + totals.sent > 0 {
      throw .registration([
        "site: is \(old.site) for \(totals.pending + totals.sent) records that are not "
          + "acknowledged; let them be sent first"
      ])
    }
    if let problem = HTTPCommerceSender.problem(ofTrustRoots: new.trustRoots) {
      throw .registration(["trustRoots: \(problem)"])
    }
    if new.model == .disconnected, access(new.directory, W_OK) != 0 {
      throw .registration([
        "directory: \(new.directory) cannot be written: \(String(cString: strerror(errno)))"
      ])
    }
    guard !request.isDryRun else { return await status() }
    let begin: Hour
    if let from = new.from {
      begin = from
    } else {
      begin = try await openWindow()
    }
    let outbox = try openOutbox()
    try await storing { () throws(StoreError) in try await outbox.begin(with: begin) }
    try file.write(new)
    registration = new
    await dropSender()
    isRefused = false
    machine.retryNow()
    logger.notice(
      "registered", metadata: ["site": "\(new.site)", "model": "\(new.model.rawValue)"])
    reading.wake()
    sending.wake()
    return await status()
  }

  /// The window that is open now, as query sees it; by the clock where query does not answer.
  private func openWindow() async throws(BridgeError) -> Hour {
    if let status = try? await query.status(), status.openWindow.index > 0 {
      return status.openWindow
    }
    return clock.now().hour
  }

  private func openOutbox() throws(BridgeError) -> Outbox {
    if let outbox { return outbox }
    do throws(StoreError) {
      let opened = try Outbox(path: "\(directory)/outbox.sqlite")
      outbox = opened
      return opened
    } catch {
      throw .storage(error.message)
    }
  }

  /// What the outbox refuses, as an error of the bridge.
  func storing<Result: Sendable>(
    _ body: () async throws(StoreError) -> Result
  ) async throws(BridgeError) -> Result {
    do throws(StoreError) {
      return try await body()
    } catch {
      throw .storage(error.message)
    }
  }

  func refreshTotals() async throws(BridgeError) {
    guard let outbox else { return }
    totals = try await storing { () throws(StoreError) in try await outbox.totals() }
  }

  /// The next batch is sent by another one. What is under way ends, and is sent again.
  func dropSender() async {
    let old = sender
    sender = nil
    await old?.close()
  }

  /// How long this process, or its host, has been up: what pauses are measured by.
  var now: Duration { clock.elapsed() }
}
