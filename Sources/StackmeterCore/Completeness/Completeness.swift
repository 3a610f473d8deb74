/// Sources that are not complete: some by name, the others by number.
package struct MissingSources: Hashable, Sendable {
  package static let namesMax = 20

  /// The first ones by name.
  package var names: [String]
  package var others: UInt64

  package static let none = MissingSources(names: [], others: 0)

  package init(names: [String], others: UInt64) {
    self.names = names
    self.others = others
  }

  package init(_ names: some Sequence<String>) {
    let sorted = names.sorted()
    self.init(
      names: Array(sorted.prefix(MissingSources.namesMax)),
      others: UInt64(max(0, sorted.count - MissingSources.namesMax)))
  }

  /// Of all of them; held at the most that a number can be.
  package var count: UInt64 {
    let (sum, overflow) = others.addingReportingOverflow(UInt64(names.count))
    return overflow ? .max : sum
  }
  package var isEmpty: Bool { names.isEmpty && others == 0 }

  /// Those of both. Who is among the others of both is counted twice.
  package func union(_ more: MissingSources) -> MissingSources {
    let both = MissingSources(Set(names).union(more.names))
    let (others, overflow) = others.addingReportingOverflow(more.others)
    return MissingSources(
      names: both.names, others: overflow ? .max : others &+ min(both.others, .max - others))
  }

  /// For those who may not know who else reports.
  package var withoutNames: MissingSources { MissingSources(names: [], others: count) }

  /// `a, b and 3 others`, or `3 sources` where no name is known; empty where there are none.
  package var description: String {
    if names.isEmpty { return others == 0 ? "" : "\(others) source\(others == 1 ? "" : "s")" }
    return names.joined(separator: ", ")
      + (others == 0 ? "" : " and \(others) other\(others == 1 ? "" : "s")")
  }
}

/// How far usage is final: nothing more is expected of it.
///
/// Usage of a period is final once its reporting windows and the one of its last hour are closed and every declared
/// source is complete past its end. Where no source is declared, it is final as soon as the windows are closed.
/// Late usage and corrections may come all the same; they are rows of later windows.
package struct Completeness: Sendable {
  package let openWindow: Hour
  private let sources: [ReportingSource]
  /// All usage before it is final, where its windows are closed.
  package let finalBefore: Instant

  package init(openWindow: Hour, sources: [ReportingSource]) {
    self.openWindow = openWindow
    self.sources = sources
    finalBefore = sources.reduce(openWindow.start) { min($0, $1.completeUntil) }
  }

  /// Whether usage is final that ends at `usageEnd`.
  package func isFinal(usageEnd: Instant, isProvisional: Bool) -> Bool {
    !isProvisional && usageEnd <= finalBefore
  }

  /// The sources that usage before `end` still waits for. What lies past the closed windows waits for the clock,
  /// not for a source.
  package func missing(until end: Instant) -> MissingSources {
    let end = min(end, openWindow.start)
    return MissingSources(sources.lazy.filter { $0.completeUntil < end }.map(\.name))
  }
}
