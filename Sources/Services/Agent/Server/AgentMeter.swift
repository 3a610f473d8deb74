internal import StackmeterCore

/// The meters of the agent, and how what the kernel counts becomes a quantity of each.
package enum AgentMeter: String, CaseIterable, Sendable {
  case cpu = "agent-cpu-core-seconds"
  case memory = "agent-memory-gb-hours"
  case storage = "agent-storage-gb-hours"
  case networkIn = "agent-network-in-bytes"
  case networkOut = "agent-network-out-bytes"

  /// The meter's id in the catalog.
  package var id: String { rawValue }

  /// The attos of the meter's unit in one kernel unit, as a reduced fraction.
  ///
  /// The kernel units are microseconds of CPU time, byte-nanoseconds of memory and storage, and bytes. A GB is
  /// 2³⁰ bytes and an hour 3.6 × 10¹² ns, so a byte-nanosecond is 10¹⁸ ÷ (2³⁰ × 3.6 × 10¹²) attos.
  var attosPerKernelUnit: (numerator: Int128, denominator: Int128) {
    switch self {
    case .cpu: (1_000_000_000_000, 1)
    case .memory, .storage: (78_125, 301_989_888)
    case .networkIn, .networkOut: (Quantity.attosPerUnit, 1)
    }
  }

  /// The most kernel units that go into one event, so that its quantity is within `EventLimits.quantityMax`
  /// and the multiplication fits 128 bits. What is more waits for the next interval.
  var kernelUnitsMax: Int128 {
    switch self {
    case .cpu: 1_000_000_000_000_000_000_000
    case .memory, .storage: 1_000_000_000_000_000_000_000_000_000_000_000
    case .networkIn, .networkOut: 1_000_000_000_000_000
    }
  }
}

/// What the kernel counted for one meter of one subject since it was last reported, kept exactly.
package struct Accumulator: Hashable, Sendable {
  /// Kernel units of the meter. Below zero only while a parent cgroup's reading is behind its children's.
  package var units: Int128
  /// Left from earlier conversions, in parts of an atto: smaller than the meter's denominator.
  package var carry: Int128

  package init(units: Int128 = 0, carry: Int128 = 0) {
    self.units = units
    self.carry = carry
  }

  /// Takes what is due as a quantity, truncated at the 18th digit; the rest is carried, so that the quantities
  /// of any sequence of calls differ from the exact total by less than one atto. Nil where nothing is due.
  mutating func take(_ meter: AgentMeter) -> Quantity? {
    let (numerator, denominator) = meter.attosPerKernelUnit
    let due = min(units, meter.kernelUnitsMax)
    guard due > 0 else { return nil }
    let (attos, rest) = (due * numerator + carry).quotientAndRemainder(dividingBy: denominator)
    guard attos > 0, let quantity = Quantity(attos: attos) else { return nil }
    units -= due
    carry = rest
    return quantity
  }
}
