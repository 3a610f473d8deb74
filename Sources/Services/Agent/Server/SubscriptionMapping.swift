internal import StackmeterCore

/// Which subscription each subject belongs to.
struct SubscriptionMapping {
  let configuration: AgentConfiguration
  let defaultSubscription: String

  /// Without a configured default the host itself is the subscription `host-<name>`.
  init(configuration: AgentConfiguration, host: String) {
    self.configuration = configuration
    defaultSubscription =
      configuration.defaultSubscription
      ?? "host-\(host)".asciiLowercased.percentEncoded(bytesMax: EventLimits.subscriptionBytesMax)
  }

  /// The subscription of a subject. `label` is a user's login name; other subjects do not need it.
  ///
  /// Of several matching patterns the most specific decides, and of equal ones the first. What nothing maps is
  /// the host's.
  func subscription(of subject: Subject, label: String) -> String {
    let found: String?
    switch subject.kind {
    case .cgroup: found = cgroup(subject.name)
    case .user: found = user(subject.name, login: label)
    case .filesystem: found = path(subject.name, in: configuration.filesystems)
    case .directory: found = path(subject.name, in: configuration.directories)
    case .networkInterface: found = interface(subject.name)
    }
    return found ?? defaultSubscription
  }

  private func cgroup(_ name: String) -> String? {
    let rules = configuration.cgroups.filter { $0.path.matchesChild(name) }
    return SubscriptionMapping.mostSpecific(rules, \.path)?.subscription
  }

  private func interface(_ name: String) -> String? {
    let rules = configuration.interfaces.filter { $0.name.matches(name) }
    return SubscriptionMapping.mostSpecific(rules, \.name)?.subscription
  }

  private func user(_ id: String, login: String) -> String? {
    configuration.users.first { rule in
      switch rule.user {
      case .name(let name): name == login
      case .id(let number): String(number) == id
      }
    }?.subscription
  }

  private func path(_ path: String, in rules: [AgentConfiguration.PathRule]) -> String? {
    rules.first { $0.path == path }?.subscription
  }

  private static func mostSpecific<Rule>(
    _ rules: [Rule], _ pattern: KeyPath<Rule, NamePattern>
  ) -> Rule? {
    var best: Rule?
    for rule in rules {
      if let current = best,
        !rule[keyPath: pattern].isMoreSpecific(than: current[keyPath: pattern])
      {
        continue
      }
      best = rule
    }
    return best
  }
}
