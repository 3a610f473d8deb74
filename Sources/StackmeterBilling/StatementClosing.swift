internal import Crypto
internal import StackmeterCore
package import StackmeterRating
package import StackmeterStore

extension StatementDraft {
  /// Why it cannot be closed; nil where it can.
  package func obstacle(acceptsUnrated: Bool) -> BillingProblem? {
    guard history.isEnded else { return .notEnded(period: statement.period) }
    if let earlier = history.earlierOpen {
      return .earlierOpen(subscription: statement.subscription.id, period: earlier)
    }
    do throws(StatementError) {
      _ = try statement.closed(number: "0", acceptsUnrated: acceptsUnrated)
      return nil
    } catch { return .statement(error) }
  }

  /// The statement under a number, to be written.
  package func closed(
    _ numbers: inout StatementNumbers, card: String, acceptsUnrated: Bool
  ) throws(BillingProblem) -> NewStatement {
    if let obstacle = obstacle(acceptsUnrated: acceptsUnrated) { throw obstacle }
    let number = numbers.next(for: statement.period)
    let closed: Statement
    do throws(StatementError) {
      closed = try statement.closed(number: number, acceptsUnrated: acceptsUnrated)
    } catch { throw .statement(error) }
    let document = closed.document
    guard document.count <= BillingLimits.documentBytesMax else {
      throw .tooLong(subscription: closed.subscription.id, bytes: document.count)
    }
    let entry = StoredStatement(
      year: Int64(closed.period.year), sequence: Int64(numbers.last[closed.period.year] ?? 0),
      number: number, subscription: closed.subscription.id,
      period: closed.period.start..<closed.period.end,
      windows: history.coveredUntil..<history.openWindow, card: card,
      currency: closed.currency.code, total: closed.total?.amountText ?? "",
      hash: Array(SHA256.hash(data: document)))
    return NewStatement(entry, document: document, states: states, uses: uses)
  }
}

extension Statement {
  /// The statement as JSON: of a closed one always the same bytes.
  package var document: [UInt8] {
    var writer = JSONWriter()
    writer.statement(self)
    return writer.bytes
  }
}
