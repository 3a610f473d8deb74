internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
package import StackmeterWire

/// What a period would have cost by a draft of a card. Nothing is stored.
extension Rating {
  package func tryRateCard(
    _ request: TryRateCardRequest
  ) async throws(QueryError) -> TryRateCardResponse {
    guard request.caller == .operator else {
      throw .forbidden("only operators may try rate cards")
    }
    guard request.text.count <= ApplyRateCardRequest.textBytesMax else {
      throw .invalid(
        field: "text", problem: "at most \(ApplyRateCardRequest.textBytesMax) bytes")
    }
    guard request.pageSize <= TryRateCardRequest.pageSizeMax else {
      throw .invalid(field: "page_size", problem: "at most \(TryRateCardRequest.pageSizeMax)")
    }
    let period = try period(request.period)
    let draft: RateCard
    do throws(RateCardError) { draft = try RateCard(parsing: request.text) } catch {
      return TryRateCardResponse(problems: error.problems)
    }
    let limit = request.pageSize == 0 ? TryRateCardRequest.pageSizeMax : Int(request.pageSize)
    let answer = try await query.readers.read {
      [self] (reader) throws(StoreError) -> Result<TryRateCardResponse, BillingProblem> in
      let cards = try rateCards(reader)
      if let currency = cards?.book.currency, currency != draft.currency {
        return .success(
          TryRateCardResponse(
            problem:
              "\(card) is in \(currency.code), this card in \(draft.currency.code): their amounts have no "
              + "difference"))
      }
      let names: [String]? = request.subscriptions.isEmpty ? nil : request.subscriptions
      let found = try reader.subscriptions(
        ids: names, after: request.after.asciiLowercased, limit: limit + 1)
      do throws(BillingProblem) {
        let trial = try CardTrial(
          draft, against: cards, period: period, subscriptions: Array(found.prefix(limit)), reader)
        var response = TryRateCardResponse(draft, request.text, trial)
        if found.count > limit { response.nextAfter = found[limit - 1].id }
        var bytes = 0
        let last = try trial.visit(reader) { difference in
          let statement = TriedStatement(difference)
          bytes += statement.lines.reduce(1024) {
            $0 + $1.meter.utf8.count + $1.title.utf8.count + 128
          }
          response.statements.append(statement)
          return bytes < UsagePage.bytesMax
        }
        if let last { response.nextAfter = last.id }
        return .success(response)
      } catch {
        if case .store(let error) = error { throw error }
        return .failure(error)
      }
    }
    switch answer {
    case .success(let response): return response
    case .failure(let problem): throw QueryError(problem)
    }
  }
}

extension TryRateCardResponse {
  fileprivate init(problems: [CardProblem]) {
    self.init()
    self.problems = problems.prefix(ApplyRateCardResponse.listedMax).map {
      .init(line: UInt32($0.place.line), column: UInt32($0.place.column), message: $0.message)
    }
  }

  fileprivate init(problem: String) {
    self.init()
    problems = [.init(message: problem)]
  }

  fileprivate init(_ draft: RateCard, _ text: [UInt8], _ trial: CardTrial) {
    self.init()
    version = RateCardVersion(
      StoredRateCard(
        name: draft.name, version: Int64(draft.version), effective: draft.effective,
        currency: draft.currency.code, text: text))
    currency = draft.currency.code
    isProvisional = !trial.isEnded
  }
}

extension TriedStatement {
  fileprivate init(_ difference: PriceDifference) {
    self.init()
    subscription = difference.subscription.id
    displayName = difference.subscription.displayName
    current = difference.current.amountText
    tried = difference.tried.amountText
    lines = difference.lines.filter(\.isChange).map { change in
      var line = Line()
      line.meter = change.meter
      line.title = change.title
      line.current = change.current.amountText
      line.tried = change.tried.amountText
      line.isCurrentUnrated = change.isCurrentUnrated
      line.isTriedUnrated = change.isTriedUnrated
      return line
    }
  }
}
