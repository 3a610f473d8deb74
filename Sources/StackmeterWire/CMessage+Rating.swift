package import CStackmeterProto

extension Stackmeter__V1__ListRateCardsRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_rate_cards_request__init(message)
  }
}

extension Stackmeter__V1__RateCardVersion: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__rate_card_version__init(message)
  }
}

extension Stackmeter__V1__ListRateCardsResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_rate_cards_response__init(message)
  }
}

extension Stackmeter__V1__GetRateCardRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__get_rate_card_request__init(message)
  }
}

extension Stackmeter__V1__GetRateCardResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__get_rate_card_response__init(message)
  }
}

extension Stackmeter__V1__ApplyRateCardRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__apply_rate_card_request__init(message)
  }
}

extension Stackmeter__V1__RateCardProblem: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__rate_card_problem__init(message)
  }
}

extension Stackmeter__V1__ApplyRateCardResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__apply_rate_card_response__init(message)
  }
}

extension Stackmeter__V1__ListChargesRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_charges_request__init(message)
  }
}

extension Stackmeter__V1__ChargeRate: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__charge_rate__init(message)
  }
}

extension Stackmeter__V1__Charge: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__charge__init(message)
  }
}

extension Stackmeter__V1__ListChargesResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_charges_response__init(message)
  }
}

extension Stackmeter__V1__StatementEntry: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__statement_entry__init(message)
  }
}

extension Stackmeter__V1__ListStatementsRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_statements_request__init(message)
  }
}

extension Stackmeter__V1__ListStatementsResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_statements_response__init(message)
  }
}

extension Stackmeter__V1__GetStatementRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__get_statement_request__init(message)
  }
}

extension Stackmeter__V1__GetStatementResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__get_statement_response__init(message)
  }
}

extension Stackmeter__V1__CloseStatementsRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__close_statements_request__init(message)
  }
}

extension Stackmeter__V1__StatementRefusal: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__statement_refusal__init(message)
  }
}

extension Stackmeter__V1__CloseStatementsResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__close_statements_response__init(message)
  }
}

extension Stackmeter__V1__WritePostingRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__write_posting_request__init(message)
  }
}

extension Stackmeter__V1__WritePostingResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__write_posting_response__init(message)
  }
}

extension Stackmeter__V1__ShareCostRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__share_cost_request__init(message)
  }
}

extension Stackmeter__V1__ShareWeight: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__share_weight__init(message)
  }
}

extension Stackmeter__V1__CostShare: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__cost_share__init(message)
  }
}

extension Stackmeter__V1__ShareCostResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__share_cost_response__init(message)
  }
}

extension Stackmeter__V1__ListRatesRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_rates_request__init(message)
  }
}

extension Stackmeter__V1__MeterRate: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__meter_rate__init(message)
  }
}

extension Stackmeter__V1__ListRatesResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_rates_response__init(message)
  }
}

extension Stackmeter__V1__TryRateCardRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__try_rate_card_request__init(message)
  }
}

extension Stackmeter__V1__TriedLine: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__tried_line__init(message)
  }
}

extension Stackmeter__V1__TriedStatement: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__tried_statement__init(message)
  }
}

extension Stackmeter__V1__TryRateCardResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__try_rate_card_response__init(message)
  }
}

extension Stackmeter__V1__ListBudgetsRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_budgets_request__init(message)
  }
}

extension Stackmeter__V1__BudgetAlert: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__budget_alert__init(message)
  }
}

extension Stackmeter__V1__BudgetEntry: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__budget_entry__init(message)
  }
}

extension Stackmeter__V1__ListBudgetsResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_budgets_response__init(message)
  }
}
