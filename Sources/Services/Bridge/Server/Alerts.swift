internal import StackmeterCore
internal import StackmeterWire

/// What is wrong, as the bridge sees it now. Alerts follow from it and from nothing else.
struct BridgeCondition: Equatable, Sendable {
  var circuit = DeliveryMachine.Circuit.closed
  /// Why the last try failed; empty after a good one.
  var problem = ""
  /// The commerce service does not take the registration.
  var isRefused = false
  var expires: Instant?
  /// Whether usage is to be forwarded at all.
  var forwards = false
  var totals = OutboxTotals()
  /// Why closed windows cannot be read; empty where they can.
  var readProblem = ""
}

/// The alerts that are open. They open and close by themselves.
struct AlertBook: Sendable {
  enum Change: Equatable, Sendable {
    case opened(BridgeAlert)
    case closed(BridgeAlert)
  }

  private(set) var open: [BridgeAlert] = []

  /// Compares the alerts with how it is now. An alert that goes on keeps the time that it was opened.
  mutating func update(_ condition: BridgeCondition, at now: Instant) -> [Change] {
    let wanted = AlertBook.alerts(condition, at: now)
    var changes: [Change] = open.filter { alert in !wanted.contains { $0.id == alert.id } }
      .map { .closed($0) }
    open = wanted.map { alert in
      guard let known = open.first(where: { $0.id == alert.id }) else {
        changes.append(.opened(alert))
        return alert
      }
      var alert = alert
      alert.opened = known.opened
      return alert
    }
    return changes
  }

  private static func alerts(_ condition: BridgeCondition, at now: Instant) -> [BridgeAlert] {
    var alerts: [BridgeAlert] = []
    func add(_ id: String, _ title: String, _ description: String) {
      alerts.append(BridgeAlert(id: id, title: title, description: description, opened: now))
    }
    if condition.isRefused {
      add(
        "RegistrationRefused", "The remote service does not take the registration",
        "Usage waits. Register anew with a key that is good. Details: \(condition.problem)")
    } else if condition.circuit != .closed {
      add(
        "UnableToConnect", "Unable to connect to the remote service",
        "Usage is collected and waits. Details: \(condition.problem)")
    }
    if let expires = condition.expires {
      if expires <= now {
        add(
          "RegistrationExpired", "The registration has expired",
          "Since \(expires) usage is collected and not sent. Register anew.")
      } else if expires - now < BridgeLimits.expiresSoon {
        add(
          "RegistrationExpiresSoon", "The registration expires soon",
          "From \(expires) on usage will not be sent. Register anew.")
      }
    }
    let totals = condition.totals
    if condition.forwards, let oldest = totals.oldestWindow, let next = totals.nextWindow,
      next.index - oldest.index > BridgeLimits.windowsBehindMax
    {
      add(
        "BacklogGrowing", "Usage waits to be sent",
        "\(totals.pending + totals.sent) records wait, the oldest of the window \(oldest).")
    }
    if totals.refused > 0 {
      add(
        "RecordsRefused", "The remote service has refused usage",
        "\(totals.refused) records are dead letters; see them with stackmeter bridge dead-letters.")
    }
    if !condition.readProblem.isEmpty {
      add(
        "UnableToRead", "Closed windows cannot be read",
        "Usage waits in the usage database. Details: \(condition.readProblem)")
    }
    return alerts
  }
}
