internal import StackmeterCore
internal import StackmeterStore

extension UsageReader {
  /// How far usage is final now.
  func completeness() throws(StoreError) -> Completeness {
    Completeness(openWindow: try openWindow(), sources: try sources())
  }
}

extension Completeness {
  func marked(_ window: ReportingWindow) -> ReportingWindow {
    var window = window
    window.isFinal = isFinal(usageEnd: window.hour.end, isProvisional: !window.isClosed)
    return window
  }

  /// A tenant may know that something is missing, but not who reports the usage of others.
  func missing(until end: Instant, for caller: Caller) -> MissingSources {
    let missing = missing(until: end)
    return switch caller {
    case .operator: missing
    case .tenant, .provider, .reporter: missing.withoutNames
    }
  }

  /// A sentence that names the sources that are silent for too long; nil where there are none.
  static func problem(of sources: [ReportingSource], now: Instant) -> String? {
    let silent = sources.filter { $0.isSilent(at: now) }
    guard !silent.isEmpty else { return nil }
    let names = MissingSources(silent.map(\.name)).description
    return
      "sources: \(names) \(silent.count == 1 ? "is" : "are") overdue by more than two cadences, "
      + "so usage stays estimated; see stackmeter sources"
  }
}
