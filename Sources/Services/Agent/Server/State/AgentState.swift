internal import StackmeterCore

/// Everything that must survive the agent: what was read last, what is not reported yet, and what was cut into
/// events but not answered.
///
/// It is one value and is written as one file, so a baseline and the usage that was derived from it never part.
/// Accumulated usage is lost with the process only together with the baseline that it came from, and then the
/// kernel's counters still hold it.
struct AgentState: Equatable {
  /// The boot that the baselines belong to.
  var bootID: String
  /// Counts the intervals that were cut, so that no two ever make the same event id.
  var sequence: UInt64 = 0
  /// Where the open interval starts.
  var intervalStart: Instant
  /// When the gauges were last read.
  var sampledAt: Instant
  var processes = Baseline<Int32, ProcessBaseline>()
  var cgroups = Baseline<String, CgroupBaseline>()
  var interfaces = Baseline<String, InterfaceBaseline>()
  /// The cgroup patterns that were in force when the cgroups were last read.
  var cgroupPatterns: Set<String> = []
  /// The last reading of each gauge, in bytes.
  var gauges: [Account: Int64] = [:]
  var accumulators: [Account: Accumulator] = [:]
  /// Events that were cut and not answered yet, oldest first.
  var pending: [UsageEvent] = []

  init(bootID: String, now: Instant) {
    self.bootID = bootID
    intervalStart = now
    sampledAt = now
  }

  mutating func add(_ units: Int128, to meter: AgentMeter, of subject: Subject) {
    guard units != 0 else { return }
    accumulators[Account(meter: meter, subject: subject), default: Accumulator()].units += units
  }

  /// Adds what each gauge held since the last sample. A gap longer than `AgentLimits.gaugeHoldMax`, or a clock
  /// that went back, adds nothing.
  mutating func integrateGauges(until now: Instant) {
    let elapsed = now - sampledAt
    sampledAt = now
    guard elapsed > .zero, elapsed <= AgentLimits.gaugeHoldMax else { return }
    let (seconds, attoseconds) = elapsed.components
    let nanoseconds = Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
    for (account, bytes) in gauges where bytes > 0 {
      add(Int128(bytes) * nanoseconds, to: account.meter, of: account.subject)
    }
  }

  /// Replaces the readings of one meter for the subjects of some kinds.
  mutating func setGauges(
    _ meter: AgentMeter, of kinds: Set<Subject.Kind>, _ bytes: [Subject: Int64]
  ) {
    gauges = gauges.filter { $0.key.meter != meter || !kinds.contains($0.key.subject.kind) }
    for (subject, bytes) in bytes { gauges[Account(meter: meter, subject: subject)] = bytes }
  }

  /// Forgets what the kernel forgot when the host started again: every counter begins at zero, and nothing is
  /// known of the gauges since.
  mutating func startBoot(_ id: String) {
    guard id != bootID else { return }
    bootID = id
    processes.entries = [:]
    cgroups.entries = [:]
    interfaces.entries = [:]
    gauges = [:]
  }
}

/// One meter of one subject.
struct Account: Hashable, Comparable {
  let meter: AgentMeter
  let subject: Subject

  static func < (left: Account, right: Account) -> Bool {
    left.subject == right.subject
      ? left.meter.id < right.meter.id : left.subject < right.subject
  }
}

/// The last reading of each counter of one sort.
struct Baseline<Key: Hashable, Entry: Equatable>: Equatable {
  /// Whether a reading was ever made. Until then what the counters hold was consumed before the agent watched,
  /// and is not counted; after it, a counter without an entry is new and is counted from zero.
  var isKnown = false
  var entries: [Key: Entry] = [:]
}

/// The last reading of one process. Times are in ticks.
struct ProcessBaseline: Equatable {
  var parent: Int32
  var start: UInt64
  var user: UInt32
  var own: Int64
  var reaped: Int64
}

/// The last reading of one cgroup.
struct CgroupBaseline: Equatable {
  /// Which directory it was, so that a cgroup that was made again is known as new.
  var identity: UInt64
  var microseconds: Int64
}

/// The last reading of one network interface, in bytes.
struct InterfaceBaseline: Equatable {
  /// The kernel's number of the interface, so that one that was made again is known as new.
  var index: Int64
  var received: UInt64
  var sent: UInt64
}

/// What a counter counted since `last`: all of it where it went back, for then it started again from zero.
func increase<Value: FixedWidthInteger>(of value: Value, since last: Value) -> Value {
  value >= last ? value - last : value
}
