package import CStackmeterProto
package import StackmeterCore

/// Something that an operator should look at, which opened by itself and closes by itself.
package struct BridgeAlert: Hashable, Sendable {
  package var id: String
  package var title: String
  package var description: String
  package var opened: Instant

  package init(id: String, title: String, description: String, opened: Instant) {
    self.id = id
    self.title = title
    self.description = description
    self.opened = opened
  }
}

/// How the bridge is.
package struct BridgeStatus: WireMessage, Hashable {
  /// `unregistered`, `active`, `paused` or `expired`.
  package var state = "unregistered"
  package var site = ""
  package var endpoint = ""
  package var model = ""
  /// Nil for never.
  package var expires: Instant?
  /// The first reporting window that is not in the outbox.
  package var nextWindow = Hour(index: 0)
  /// Records, by what became of them.
  package var pending: UInt64 = 0
  package var sent: UInt64 = 0
  package var acknowledged: UInt64 = 0
  package var refused: UInt64 = 0
  /// `closed`, `open` or `half-open`.
  package var circuit = "closed"
  /// Nil for now.
  package var retryAt: Instant?
  /// Empty, or why the last try failed.
  package var problem = ""
  package var lastAcknowledged: Instant?
  package var alerts: [BridgeAlert] = []
  /// The oldest window with something that is not acknowledged.
  package var oldestWindow: Hour?
  /// Since the process started.
  package var attempts: UInt64 = 0
  package var failures: UInt64 = 0

  package init() {}

  package init(wire raw: borrowing Stackmeter__V1__BridgeStatus) throws(WireError) {
    state = text(raw.state)
    site = text(raw.site)
    endpoint = text(raw.endpoint)
    model = text(raw.model)
    expires = instant(raw.expires)
    nextWindow = Hour(index: raw.next_window)
    pending = raw.pending
    sent = raw.sent
    acknowledged = raw.acknowledged
    refused = raw.refused
    circuit = text(raw.circuit)
    retryAt = instant(raw.retry_at)
    problem = text(raw.problem)
    lastAcknowledged = instant(raw.last_acknowledged)
    alerts = try elements(raw.alerts, raw.n_alerts) { (raw) throws(WireError) in
      BridgeAlert(
        id: text(raw.id), title: text(raw.title), description: text(raw.description),
        opened: Instant(nanoseconds: raw.opened))
    }
    oldestWindow = raw.oldest_window == 0 ? nil : Hour(index: raw.oldest_window)
    attempts = raw.attempts
    failures = raw.failures
  }

  package func fill(_ raw: inout Stackmeter__V1__BridgeStatus, _ packer: borrowing Packer) {
    raw.state = packer.arena.text(state)
    raw.site = packer.arena.text(site)
    raw.endpoint = packer.arena.text(endpoint)
    raw.model = packer.arena.text(model)
    raw.expires = expires?.nanoseconds ?? 0
    raw.next_window = nextWindow.index
    raw.pending = pending
    raw.sent = sent
    raw.acknowledged = acknowledged
    raw.refused = refused
    raw.circuit = packer.arena.text(circuit)
    raw.retry_at = retryAt?.nanoseconds ?? 0
    raw.problem = packer.arena.text(problem)
    raw.last_acknowledged = lastAcknowledged?.nanoseconds ?? 0
    raw.n_alerts = alerts.count
    raw.alerts = packer.arena.messages(alerts) {
      (alert, raw: inout Stackmeter__V1__BridgeAlert) in
      raw.id = packer.arena.text(alert.id)
      raw.title = packer.arena.text(alert.title)
      raw.description = packer.arena.text(alert.description)
      raw.opened = alert.opened.nanoseconds
    }
    raw.oldest_window = oldestWindow?.index ?? 0
    raw.attempts = attempts
    raw.failures = failures
  }
}

private func instant(_ nanoseconds: Int64) -> Instant? {
  nanoseconds == 0 ? nil : Instant(nanoseconds: nanoseconds)
}
