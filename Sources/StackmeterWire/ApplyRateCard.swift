package import CStackmeterProto

/// `Billing.ApplyRateCard`.
package struct ApplyRateCardRequest: WireMessage, Hashable {
  /// A little less than a message may have.
  package static let textBytesMax = 4 << 20 - 4096

  package var text: [UInt8]
  /// Only say what would be.
  package var isDryRun: Bool

  package init(text: [UInt8], isDryRun: Bool = false) {
    self.text = text
    self.isDryRun = isDryRun
  }

  package init(wire raw: borrowing Stackmeter__V1__ApplyRateCardRequest) {
    text = bytes(raw.text)
    isDryRun = raw.dry_run != 0
  }

  package func fill(_ raw: inout Stackmeter__V1__ApplyRateCardRequest, _ packer: borrowing Packer) {
    raw.text = packer.arena.bytes(text)
    raw.dry_run = isDryRun ? 1 : 0
  }
}

/// What is wrong with a card, or what was done.
package struct ApplyRateCardResponse: WireMessage, Hashable {
  /// Problems, changes and meters that are listed.
  package static let listedMax = 1000

  /// One thing that is wrong.
  package struct Problem: Hashable, Sendable {
    /// From 1; 0 where it is of no line.
    package var line: UInt32
    package var column: UInt32
    package var message: String

    package init(line: UInt32 = 0, column: UInt32 = 0, message: String) {
      self.line = line
      self.column = column
      self.message = message
    }
  }

  package var problems: [Problem] = []
  package var isApplied = false
  /// These bytes were there before.
  package var isKnown = false
  /// Nil where there are problems.
  package var version: RateCardVersion?
  package var changes: [String] = []
  package var unpricedMeters: [String] = []
  /// The name of the card that usage is priced by.
  package var inForce = ""

  package init() {}

  package init(wire raw: borrowing Stackmeter__V1__ApplyRateCardResponse) throws(WireError) {
    problems = try elements(raw.problems, raw.n_problems) { (raw) throws(WireError) in
      Problem(line: raw.line, column: raw.column, message: text(raw.message))
    }
    isApplied = raw.applied != 0
    isKnown = raw.known != 0
    version = RateCardVersion(wire: raw.version)
    changes = texts(raw.changes, raw.n_changes)
    unpricedMeters = texts(raw.unpriced_meters, raw.n_unpriced_meters)
    inForce = text(raw.in_force)
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ApplyRateCardResponse, _ packer: borrowing Packer
  ) {
    raw.n_problems = problems.count
    raw.problems = packer.arena.messages(problems) {
      (problem, raw: inout Stackmeter__V1__RateCardProblem) in
      raw.line = problem.line
      raw.column = problem.column
      raw.message = packer.arena.text(problem.message)
    }
    raw.applied = isApplied ? 1 : 0
    raw.known = isKnown ? 1 : 0
    if let version { raw.version = packer.arena.message { version.fill(&$0, packer.arena) } }
    raw.n_changes = changes.count
    raw.changes = packer.arena.texts(changes)
    raw.n_unpriced_meters = unpricedMeters.count
    raw.unpriced_meters = packer.arena.texts(unpricedMeters)
    raw.in_force = packer.arena.text(inForce)
  }
}
