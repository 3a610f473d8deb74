internal import StackmeterRating

/// Counts the rows of a FOCUS file while it comes, and sums up what they bill, exactly.
///
/// The billed cost is the second column, behind an empty one. No text of such a file has more than one line.
struct FocusCheck {
  private(set) var lines = 0
  private(set) var byteCount = 0
  /// Nil where a cost was none, or the sum fits no more.
  private(set) var billed: Cost? = .zero
  private var column = 0
  private var cell: [UInt8] = []

  /// The rows without that of the names.
  var rows: Int { max(0, lines - 1) }

  mutating func take(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      byteCount += 1
      switch byte {
      case UInt8(ascii: "\n"):
        lines += 1
        column = 0
      case UInt8(ascii: ",") where column < 2:
        column += 1
        if column == 2, lines > 0 { add() }
      default:
        if column == 1, lines > 0 { cell.append(byte) }
      }
    }
  }

  private mutating func add() {
    let cost = Cost(parsing: String(decoding: cell, as: UTF8.self))
    billed = billed.flatMap { sum in cost.flatMap { sum.adding($0) } }
    cell.removeAll(keepingCapacity: true)
  }
}
