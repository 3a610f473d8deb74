package import CStackmeterProto

extension Stackmeter__V1__RegisterBridgeRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__register_bridge_request__init(message)
  }
}

extension Stackmeter__V1__ControlBridgeRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__control_bridge_request__init(message)
  }
}

extension Stackmeter__V1__ControlBridgeResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__control_bridge_response__init(message)
  }
}

extension Stackmeter__V1__BridgeAlert: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__bridge_alert__init(message)
  }
}

extension Stackmeter__V1__BridgeStatus: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__bridge_status__init(message)
  }
}

extension Stackmeter__V1__ListDeadLettersRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_dead_letters_request__init(message)
  }
}

extension Stackmeter__V1__DeadLetter: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__dead_letter__init(message)
  }
}

extension Stackmeter__V1__ListDeadLettersResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__list_dead_letters_response__init(message)
  }
}
