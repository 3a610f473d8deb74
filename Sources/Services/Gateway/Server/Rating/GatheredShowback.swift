package import GRPCCore
package import QueryClient
package import StackmeterRating
package import StackmeterWire

/// What statements of a period come to, gathered from all answers of query.
package struct GatheredShowback: Sendable {
  /// Parts that are held at most; who asks for more asks by something that has fewer.
  static let partsMax = 100_000

  package private(set) var sums = Showback()
  package private(set) var statements: [Showback.Key: [ShowbackPart.Statement]] = [:]
  package private(set) var statementCount = 0
  package private(set) var draftCount = 0

  package init(_ question: ShowbackRequest, _ query: QueryClient) async throws(RPCError) {
    var request = question
    repeat {
      let page = try await query.showback(request)
      for part in page.parts { try take(part, page.currency) }
      statementCount += Int(page.statements)
      draftCount += Int(page.drafts)
      request.after = page.nextAfter
      guard sums.partCount <= GatheredShowback.partsMax else {
        throw RPCError(
          code: .outOfRange,
          message:
            "there are more than \(GatheredShowback.partsMax) parts; ask by something that has fewer"
        )
      }
    } while !request.after.isEmpty
  }

  private mutating func take(_ part: ShowbackPart, _ currency: String) throws(RPCError) {
    let key = Showback.Key(name: part.name.isEmpty ? nil : part.name, kind: part.kind)
    guard let currency = Currency(code: currency),
      let amount = try? Money(parsing: part.amount, currency)
    else { throw RPCError(code: .internalError, message: "query answered no amount") }
    do throws(MoneyError) { try sums.add(key, amount) } catch {
      throw RPCError(code: .outOfRange, message: error.description)
    }
    if !part.statements.isEmpty { statements[key, default: []] += part.statements }
  }

  /// The parts, with the share of a cost in their currency that each of the named ones bears.
  package func parts(
    share: String?, by key: Showback.SharingKey
  ) throws(ShowbackProblem) -> [Showback.Part] {
    guard let share else { return sums.parts }
    guard let currency = sums.total?.currency else { throw .nobody }
    let cost: Money
    do throws(DecimalError) { cost = try Money(parsing: share, currency) } catch {
      throw .amount(currency.code)
    }
    do throws(MoneyError) { return try sums.sharing(cost, by: key) } catch {
      if case .noWeight = error { throw .nobody }
      throw .money(error)
    }
  }
}

/// Why a cost cannot be shared.
package enum ShowbackProblem: Error, Equatable, CustomStringConvertible {
  case amount(String)
  case nobody
  case money(MoneyError)

  package var description: String {
    switch self {
    case .amount(let currency): "must be an amount of \(currency) such as 100.00"
    case .nobody: "nobody has a share of it: no named part has a weight above zero"
    case .money(let error): error.description
    }
  }
}
