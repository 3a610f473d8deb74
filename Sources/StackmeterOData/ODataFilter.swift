package import StackmeterCore

/// What `$filter` says, with its properties found and its types compared. OData URL Conventions 4.0, section 5.1.1.
///
/// Rows are looked at with `isTrue`, exactly. What a store can use to read fewer of them is in `texts(of:)` and
/// `times(of:)`, which never leave out a row that the filter wants.
package indirect enum ODataFilter: Hashable, Sendable {
  package enum Comparison: String, CaseIterable, Sendable {
    case eq, ne, gt, ge, lt, le
  }

  package enum Function: String, CaseIterable, Sendable {
    case contains, startswith, endswith
  }

  package enum Casing: String, CaseIterable, Sendable {
    case tolower, toupper
  }

  /// A value of a row.
  package indirect enum Operand: Hashable, Sendable {
    case literal(ODataValue)
    /// Where the property is among those of the type.
    case property(Int)
    case cased(Casing, Operand)
  }

  case comparison(Comparison, Operand, Operand)
  case function(Function, Operand, Operand)
  case isOne(of: Operand, [ODataValue])
  /// A property or a literal that is a boolean.
  case flag(Operand)
  case and(ODataFilter, ODataFilter)
  case or(ODataFilter, ODataFilter)
  case not(ODataFilter)

  /// Whether a row is wanted. `value` gives its properties by their index.
  package func isTrue(_ value: (Int) -> ODataValue) -> Bool { truth(value) == true }

  /// Nil is null: a row whose filter is null is not wanted, and neither is one whose filter is not null's negation.
  private func truth(_ value: (Int) -> ODataValue) -> Bool? {
    switch self {
    case .comparison(let comparison, let left, let right):
      return comparison.holds(left.value(value), right.value(value))
    case .function(let function, let left, let right):
      guard case .string(let text) = left.value(value), case .string(let part) = right.value(value)
      else { return nil }
      return function.holds(text, part)
    case .isOne(let operand, let values):
      let found = operand.value(value)
      return values.contains { Comparison.eq.holds(found, $0) }
    case .flag(let operand):
      guard case .boolean(let flag) = operand.value(value) else { return nil }
      return flag
    case .and(let left, let right):
      switch (left.truth(value), right.truth(value)) {
      case (false?, _), (_, false?): return false
      case (true?, true?): return true
      default: return nil
      }
    case .or(let left, let right):
      switch (left.truth(value), right.truth(value)) {
      case (true?, _), (_, true?): return true
      case (false?, false?): return false
      default: return nil
      }
    case .not(let filter): return filter.truth(value).map { !$0 }
    }
  }
}

extension ODataFilter.Comparison {
  /// Null equals null and nothing else, and has no order.
  func holds(_ left: ODataValue, _ right: ODataValue) -> Bool {
    switch self {
    case .eq: left == right
    case .ne: left != right
    case .lt: left.isLess(than: right) ?? false
    case .gt: right.isLess(than: left) ?? false
    case .le: right.isLess(than: left).map { !$0 } ?? false
    case .ge: left.isLess(than: right).map { !$0 } ?? false
    }
  }

  /// What it is with its sides exchanged.
  var mirrored: ODataFilter.Comparison {
    switch self {
    case .eq, .ne: self
    case .gt: .lt
    case .ge: .le
    case .lt: .gt
    case .le: .ge
    }
  }
}

extension ODataFilter.Function {
  func holds(_ text: String, _ part: String) -> Bool {
    switch self {
    case .contains:
      part.isEmpty || Array(text.utf8).firstRange(of: Array(part.utf8)) != nil
    case .startswith: text.utf8.starts(with: part.utf8)
    case .endswith: text.utf8.reversed().starts(with: part.utf8.reversed())
    }
  }
}

extension ODataFilter.Operand {
  func value(_ value: (Int) -> ODataValue) -> ODataValue {
    switch self {
    case .literal(let literal): return literal
    case .property(let index): return value(index)
    case .cased(let casing, let operand):
      guard case .string(let text) = operand.value(value) else { return .null }
      return .string(casing == .tolower ? text.lowercased() : text.uppercased())
    }
  }
}

extension ODataFilter {
  /// The only texts that a property can have in a wanted row; nil where it can have any.
  package func texts(of property: Int) -> Set<String>? {
    switch self {
    case .comparison(.eq, .property(property), .literal(.string(let text))),
      .comparison(.eq, .literal(.string(let text)), .property(property)):
      return [text]
    case .isOne(.property(property), let values):
      var texts: Set<String> = []
      for case .string(let text) in values { texts.insert(text) }
      return texts
    case .and(let left, let right):
      guard let left = left.texts(of: property) else { return right.texts(of: property) }
      return right.texts(of: property).map { left.intersection($0) } ?? left
    case .or(let left, let right):
      guard let left = left.texts(of: property), let right = right.texts(of: property) else {
        return nil
      }
      return left.union(right)
    case .comparison, .function, .isOne, .flag, .not: return nil
    }
  }

  /// The times between which a property lies in every wanted row, both included.
  package func times(of property: Int) -> ClosedRange<Instant>? {
    let all = Instant(nanoseconds: .min)...Instant(nanoseconds: .max)
    return bounds(of: property, in: all)
  }

  /// Nil where no time is left.
  private func bounds(
    of property: Int, in all: ClosedRange<Instant>
  ) -> ClosedRange<Instant>? {
    switch self {
    case .comparison(let comparison, .property(property), .literal(.time(let time))):
      return comparison.bounds(time, in: all)
    case .comparison(let comparison, .literal(.time(let time)), .property(property)):
      return comparison.mirrored.bounds(time, in: all)
    case .isOne(.property(property), let values):
      var times: [Instant] = []
      for case .time(let time) in values { times.append(time) }
      guard let first = times.min(), let last = times.max() else { return nil }
      return first...last
    case .and(let left, let right):
      guard let left = left.bounds(of: property, in: all),
        let right = right.bounds(of: property, in: all)
      else { return nil }
      let lower = max(left.lowerBound, right.lowerBound)
      let upper = min(left.upperBound, right.upperBound)
      return lower <= upper ? lower...upper : nil
    case .or(let left, let right):
      guard let left = left.bounds(of: property, in: all) else {
        return right.bounds(of: property, in: all)
      }
      guard let right = right.bounds(of: property, in: all) else { return left }
      return min(left.lowerBound, right.lowerBound)...max(left.upperBound, right.upperBound)
    case .comparison, .function, .isOne, .flag, .not: return all
    }
  }
}

extension ODataFilter.Comparison {
  fileprivate func bounds(
    _ time: Instant, in all: ClosedRange<Instant>
  ) -> ClosedRange<Instant> {
    switch self {
    case .eq: time...time
    case .ge, .gt: time...all.upperBound
    case .le, .lt: all.lowerBound...time
    case .ne: all
    }
  }
}
