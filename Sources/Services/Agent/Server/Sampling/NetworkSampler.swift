/// The bytes of each network interface.
struct NetworkSampler {
  /// Interfaces whose bytes are not counted. Their baselines are kept, so that one that is no longer ignored
  /// counts from that moment.
  let ignored: [NamePattern]

  /// Reads the counters and adds what they counted to the state. After an error nothing changed.
  func sample(_ kernel: some KernelSource, into state: inout AgentState) throws(KernelError) {
    let path = "/proc/net/dev"
    // A kernel without networking has no such file.
    guard let text = try kernel.contents(of: path) else { return }
    guard let counters = NetworkCounters.parse(text) else {
      throw KernelError(path: path, problem: "not of its form")
    }
    var entries: [String: InterfaceBaseline] = [:]
    for counter in counters {
      let index = try kernel.number(of: "/sys/class/net/\(counter.name)/ifindex") ?? 0
      entries[counter.name] = InterfaceBaseline(
        index: index, received: counter.received, sent: counter.sent)
    }
    if state.interfaces.isKnown {
      for (name, entry) in entries where !ignored.contains(where: { $0.matches(name) }) {
        add(entry, of: name, to: &state)
      }
    }
    state.interfaces.isKnown = true
    state.interfaces.entries = entries
  }

  private func add(_ entry: InterfaceBaseline, of name: String, to state: inout AgentState) {
    let last = state.interfaces.entries[name].flatMap { $0.index == entry.index ? $0 : nil }
    let subject = Subject(.networkInterface, name)
    let received = increase(of: entry.received, since: last?.received ?? 0)
    let sent = increase(of: entry.sent, since: last?.sent ?? 0)
    state.add(Int128(received), to: .networkIn, of: subject)
    state.add(Int128(sent), to: .networkOut, of: subject)
  }
}
