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
