internal import Logging
internal import StackmeterCommerce
internal import StackmeterCore
internal import StackmeterStore
package import StackmeterWire

extension Bridge {
  /// How the bridge is. What cannot be read of the outbox is what was last known.
  package func status() async -> BridgeStatus {
    try? await refreshTotals()
    updateAlerts()
    var status = BridgeStatus()
    status.alerts = alerts.open
    guard let registration else { return status }
    let present = clock.now()
    status.state =
      if registration.isPaused { "paused" } else {
        registration.isExpired(at: present) ? "expired" : "active"
      }
    status.site = registration.site
    status.endpoint = registration.endpoint
    status.model = registration.model.rawValue
    status.expires = registration.expires
    status.nextWindow = totals.nextWindow ?? Hour(index: 0)
    status.pending = totals.pending
    status.sent = totals.sent
    status.acknowledged = totals.acknowledged
    status.refused = totals.refused
    status.circuit = machine.circuit(at: now).rawValue
    status.retryAt = machine.retryAt.flatMap { $0 > now ? present.advanced(by: $0 - now) : nil }
    status.problem = machine.problem.isEmpty ? readProblem : machine.problem
    status.lastAcknowledged = lastAcknowledged
    status.oldestWindow = totals.oldestWindow
    status.attempts = attempts
    status.failures = failures
    return status
  }

  package func control(_ request: ControlBridgeRequest) async throws(BridgeError) -> UInt64 {
    guard var changed = registration, let outbox else { throw .unregistered }
    var count = 0
    switch request {
    case .pause, .resume:
      changed.isPaused = request == .pause
      try file.write(changed)
      registration = changed
      machine.retryNow()
      logger.notice(changed.isPaused ? "paused" : "resumed")
    case .unregister:
      try file.write(nil)
      registration = nil
      await dropSender()
      logger.notice("unregistered", metadata: ["site": "\(changed.site)"])
    case .resendWindows(let windows):
      guard windows.upperBound.index - windows.lowerBound.index <= BridgeLimits.resentWindowsMax
      else {
        throw .invalid(
          field: "to_window",
          problem: "at most \(BridgeLimits.resentWindowsMax) windows are sent again at once")
      }
      count = try await storing { () throws(StoreError) in try await outbox.readAgain(windows) }
    case .resendDeadLetters(let numbers):
      count = try await storing { () throws(StoreError) in
        try await outbox.resendDeadLetters(numbers, site: changed.site, model: changed.model)
      }
    case .importReceipt(let receipt):
      count = try await importReceipt(receipt, changed, outbox)
    }
    reading.wake()
    sending.wake()
    return UInt64(count)
  }

  package func deadLetters(
    _ request: ListDeadLettersRequest
  ) async throws(BridgeError) -> ListDeadLettersResponse {
    guard let outbox else { return ListDeadLettersResponse(letters: []) }
    let letters = try await storing { () throws(StoreError) in
      try await outbox.deadLetters(after: request.after, limit: Int(request.pageSize))
    }
    return ListDeadLettersResponse(
      letters: letters,
      nextAfter: letters.count == Int(request.pageSize) ? letters.last?.number : nil)
  }

  /// Opens and closes alerts, and says so.
  func updateAlerts() {
    var condition = BridgeCondition()
    if let registration {
      condition.circuit = machine.circuit(at: now)
      condition.problem = machine.problem
      condition.isRefused = isRefused
      condition.expires = registration.expires
      condition.forwards = registration.forwards
      condition.totals = totals
      condition.readProblem = readProblem
    }
    for change in alerts.update(condition, at: clock.now()) {
      switch change {
      case .opened(let alert):
        logger.warning(
          "alert opened: \(alert.title)",
          metadata: ["alert": "\(alert.id)", "description": "\(alert.description)"])
      case .closed(let alert):
        logger.notice("alert closed: \(alert.title)", metadata: ["alert": "\(alert.id)"])
      }
    }
  }

  /// Alerts also open and close where nothing else happens: a registration expires.
  func watch() async {
    while !Task.isCancelled {
      if registration != nil {
        try? await refreshTotals()
        updateAlerts()
      }
      try? await Task.sleep(for: .seconds(30))
    }
  }
}
