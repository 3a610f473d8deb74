package import CStackmeterProto
package import StackmeterCore

/// Entries of the quarantine, by number or by what they have in common.
package enum QuarantineChoice: Hashable, Sendable {
  /// Of one call.
  package static let entriesMax = 1000

  case numbers([UInt64])
  /// The first `limit` open entries after `after` that match.
  case matching(QuarantineFilter, after: UInt64, limit: Int)
}

/// `Collector.RedriveQuarantine` and `Collector.DiscardQuarantine`.
package struct ResolveQuarantineRequest: WireMessage, Hashable {
  package var choice: QuarantineChoice

  package init(_ choice: QuarantineChoice) {
    self.choice = choice
  }

  package init(wire raw: borrowing Stackmeter__V1__ResolveQuarantineRequest) throws(WireError) {
    let most = QuarantineChoice.entriesMax
    switch (raw.n_numbers, raw.filter) {
    case (0, nil):
      throw .invalidField(
        field: "numbers", problem: "is empty; name entries, or give a filter, which may be empty")
    case (1..., .some):
      throw .invalidField(
        field: "filter", problem: "stands beside numbers; entries are chosen by one of both")
    case (0, let filter?):
      guard raw.limit <= most else {
        throw .invalidField(field: "limit", problem: "at most \(most)")
      }
      choice = .matching(
        try QuarantineFilter(wire: filter.pointee), after: raw.after_number,
        limit: raw.limit == 0 ? most : Int(raw.limit))
    default:
      guard raw.n_numbers <= most else {
        throw .invalidField(
          field: "numbers", problem: "has \(raw.n_numbers); at most \(most) are taken")
      }
      choice = .numbers(column(raw.numbers, raw.n_numbers))
    }
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ResolveQuarantineRequest, _ packer: borrowing Packer
  ) {
    switch choice {
    case .numbers(let numbers):
      raw.n_numbers = numbers.count
      let column = packer.arena.buffer(UInt64.self, count: numbers.count)
      for (index, number) in numbers.enumerated() { (column + index).initialize(to: number) }
      raw.numbers = column
    case .matching(let filter, let after, let limit):
      raw.filter = packer.arena.message { filter.fill(&$0, packer.arena) }
      raw.after_number = after
      raw.limit = UInt32(limit)
    }
  }
}

/// What became of the entries of one call, by number.
package struct ResolveQuarantineResponse: WireMessage, Hashable {
  package var results: [QuarantineResult]
  /// With a filter: there may be others after `lastNumber`.
  package var more: Bool
  package var lastNumber: UInt64

  package init(results: [QuarantineResult], more: Bool, lastNumber: UInt64) {
    self.results = results
    self.more = more
    self.lastNumber = lastNumber
  }

  package init(wire raw: borrowing Stackmeter__V1__ResolveQuarantineResponse) throws(WireError) {
    more = raw.more != 0
    lastNumber = raw.last_number
    results = try elements(raw.results, raw.n_results) { (raw) throws(WireError) in
      guard let state = QuarantineResult.State(raw.state, position: raw.position) else {
        throw .invalidField(field: "results", problem: "has one without a known state")
      }
      return QuarantineResult(
        number: raw.number, state: state,
        refusal: Refusal(
          reasonName: text(raw.reason), field: text(raw.field), message: text(raw.message)))
    }
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ResolveQuarantineResponse, _ packer: borrowing Packer
  ) {
    raw.more = more ? 1 : 0
    raw.last_number = lastNumber
    raw.n_results = results.count
    raw.results = packer.arena.messages(results) {
      (result, raw: inout Stackmeter__V1__QuarantineResult) in
      raw.number = result.number
      raw.state = result.state.code
      raw.position = result.state.position
      guard let refusal = result.refusal else { return }
      raw.reason = packer.arena.text(refusal.reason.name)
      raw.field = packer.arena.text(refusal.field)
      raw.message = packer.arena.text(refusal.message)
    }
  }
}

extension QuarantineResult.State {
  init?(_ code: Stackmeter__V1__QuarantineState, position: UInt64) {
    switch code {
    case STACKMETER__V1__QUARANTINE_STATE__QUARANTINE_STATE_OPEN: self = .open
    case STACKMETER__V1__QUARANTINE_STATE__QUARANTINE_STATE_REDRIVEN:
      self = .resolved(.redriven(position: position))
    case STACKMETER__V1__QUARANTINE_STATE__QUARANTINE_STATE_DISCARDED: self = .resolved(.discarded)
    case STACKMETER__V1__QUARANTINE_STATE__QUARANTINE_STATE_ABSENT: self = .absent
    default: return nil
    }
  }

  var code: Stackmeter__V1__QuarantineState {
    switch self {
    case .open: STACKMETER__V1__QUARANTINE_STATE__QUARANTINE_STATE_OPEN
    case .resolved(.redriven): STACKMETER__V1__QUARANTINE_STATE__QUARANTINE_STATE_REDRIVEN
    case .resolved(.discarded): STACKMETER__V1__QUARANTINE_STATE__QUARANTINE_STATE_DISCARDED
    case .absent: STACKMETER__V1__QUARANTINE_STATE__QUARANTINE_STATE_ABSENT
    }
  }

  var position: UInt64 {
    if case .resolved(.redriven(let position)) = self { position } else { 0 }
  }
}
