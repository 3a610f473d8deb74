internal import StackmeterCore
internal import StackmeterWire

/// The bridge's part of `/metrics`.
extension MetricsText {
  /// Whether there is a registration and how it is; the states and alerts that are not are 0.
  mutating func bridge(_ status: BridgeStatus) {
    prefix = "stackmeter_bridge_"
    family("state", "gauge", "1 for what the bridge is.") { text in
      for state in ["unregistered", "active", "paused", "expired"] {
        text.sample([("state", state)], status.state == state ? "1" : "0")
      }
    }
    family("records", "gauge", "Records by what became of them.") { text in
      for (state, count) in [
        ("pending", status.pending), ("sent", status.sent),
        ("acknowledged", status.acknowledged), ("refused", status.refused),
      ] {
        text.sample([("state", state)], "\(count)")
      }
    }
    family("circuit_open", "gauge", "Whether the commerce service is away.") { text in
      text.sample([], status.circuit == "closed" ? "0" : "1")
    }
    family("attempts_total", "counter", "Batches that were sent.") { text in
      text.sample([], "\(status.attempts)")
    }
    family("failures_total", "counter", "Batches without a definite answer.") { text in
      text.sample([], "\(status.failures)")
    }
    family("windows_behind", "gauge", "How old the oldest window is that waits.") { text in
      let behind = status.oldestWindow.map { status.nextWindow.index - $0.index } ?? 0
      text.sample([], "\(max(0, behind))")
    }
    family("alert", "gauge", "1 for each alert that is open.") { text in
      for alert in status.alerts { text.sample([("id", alert.id)], "1") }
    }
  }
}
