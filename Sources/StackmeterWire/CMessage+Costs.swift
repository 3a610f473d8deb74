package import CStackmeterProto

extension Stackmeter__V1__ExportFocusRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__export_focus_request__init(message)
  }
}

extension Stackmeter__V1__ExportFocusResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__export_focus_response__init(message)
  }
}

extension Stackmeter__V1__ShowbackRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__showback_request__init(message)
  }
}

extension Stackmeter__V1__ShowbackStatement: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__showback_statement__init(message)
  }
}

extension Stackmeter__V1__ShowbackPart: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__showback_part__init(message)
  }
}

extension Stackmeter__V1__ShowbackResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__showback_response__init(message)
  }
}

extension Stackmeter__V1__ReconcileRequest: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__reconcile_request__init(message)
  }
}

extension Stackmeter__V1__ReconciliationCheck: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__reconciliation_check__init(message)
  }
}

extension Stackmeter__V1__ReconciledStatement: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__reconciled_statement__init(message)
  }
}

extension Stackmeter__V1__ReconcileResponse: CMessage {
  package static func initialize(_ message: UnsafeMutablePointer<Self>) {
    stackmeter__v1__reconcile_response__init(message)
  }
}
