/// What the agent meters, how often, and which subscription each part of the host belongs to.
package struct AgentConfiguration: Equatable, Sendable {
  /// The host's name in sources and URIs. Nil: the kernel's host name.
  package var host: String?
  /// Where everything that is not mapped goes. Nil: `host-` and the host's name.
  package var defaultSubscription: String?
  package var location = "local"
  package var mode = Mode.automatic
  /// How long an interval is. A divisor of an hour, so that intervals end at the hour.
  package var reportInterval: Duration = .seconds(60)
  /// How often the counters and gauges are read. A divisor of the report interval.
  package var sampleInterval: Duration = .seconds(5)
  /// How often the configured directories are walked.
  package var directoryInterval: Duration = .seconds(60)
  package var cgroups: [CgroupRule] = []
  package var users: [UserRule] = []
  package var filesystems: [PathRule] = []
  package var directories: [PathRule] = []
  package var interfaces: [InterfaceRule] = []
  /// Names or prefixes of interfaces that are not metered: those whose bytes another interface counts too.
  package var ignoredInterfaces: [NamePattern] = [NamePattern("lo")]

  package init() {}

  /// How CPU time and memory are told apart.
  package enum Mode: String, CaseIterable, Sendable {
    /// By cgroup where the unified hierarchy has the memory controller, else by user.
    case automatic = "auto"
    /// By cgroup of the unified hierarchy.
    case cgroup
    /// By the real user of each process.
    case user
  }

  /// Assigns one cgroup, or with `/*` or a prefix and `*` at the end each child of one cgroup.
  package struct CgroupRule: Equatable, Sendable {
    package let path: NamePattern
    package let subscription: String

    package init(path: NamePattern, subscription: String) {
      self.path = path
      self.subscription = subscription
    }
  }

  /// Assigns the processes of one user.
  package struct UserRule: Equatable, Sendable {
    package let user: User
    package let subscription: String

    package init(user: User, subscription: String) {
      self.user = user
      self.subscription = subscription
    }

    package enum User: Equatable, Sendable {
      case name(String)
      case id(UInt32)
    }
  }

  /// Assigns the filesystem that is mounted at `path`, or the directory at `path`.
  package struct PathRule: Equatable, Sendable {
    package let path: String
    package let subscription: String

    package init(path: String, subscription: String) {
      self.path = path
      self.subscription = subscription
    }
  }

  /// Assigns a network interface, or with `*` at the end all whose names start so.
  package struct InterfaceRule: Equatable, Sendable {
    package let name: NamePattern
    package let subscription: String

    package init(name: NamePattern, subscription: String) {
      self.name = name
      self.subscription = subscription
    }
  }
}

/// A name, or with `*` at its end every name that starts so.
package struct NamePattern: Hashable, Sendable {
  package let text: String

  package init(_ text: String) {
    self.text = text
  }

  package var isPrefix: Bool { text.utf8.last == UInt8(ascii: "*") }
  /// The text without the star.
  package var stem: String { isPrefix ? String(text.dropLast()) : text }

  package func matches(_ name: String) -> Bool {
    isPrefix ? name.utf8.starts(with: stem.utf8) : name.utf8.elementsEqual(text.utf8)
  }

  /// Whether this pattern decides where both match: a name before a prefix, a longer prefix before a shorter.
  func isMoreSpecific(than other: NamePattern) -> Bool {
    isPrefix == other.isPrefix ? stem.utf8.count > other.stem.utf8.count : !isPrefix
  }
}
