package import CStackmeterProto
package import StackmeterCore

/// `Bridge.SetRegistration`.
package struct RegisterBridgeRequest: WireMessage, Hashable {
  /// JSON.
  package var document: [UInt8]
  /// Only say what is wrong with it.
  package var isDryRun: Bool

  package init(document: [UInt8], isDryRun: Bool = false) {
    self.document = document
    self.isDryRun = isDryRun
  }

  package init(wire raw: borrowing Stackmeter__V1__RegisterBridgeRequest) {
    document = bytes(raw.document)
    isDryRun = raw.dry_run != 0
  }

  package func fill(
    _ raw: inout Stackmeter__V1__RegisterBridgeRequest, _ packer: borrowing Packer
  ) {
    raw.document = packer.arena.bytes(document)
    raw.dry_run = isDryRun ? 1 : 0
  }
}

/// `Bridge.Control`: what the bridge is to do.
package enum ControlBridgeRequest: WireMessage, Hashable {
  /// Dead letters that one request names.
  package static let numbersMax = 1000

  case pause
  case resume
  case unregister
  /// Windows are read and sent again.
  case resendWindows(Range<Hour>)
  /// Dead letters are sent again; empty for all.
  case resendDeadLetters([UInt64])
  /// What the commerce service answered to a file that was carried there.
  case importReceipt([UInt8])

  package init(wire raw: borrowing Stackmeter__V1__ControlBridgeRequest) throws(WireError) {
    switch raw.action {
    case STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_PAUSE: self = .pause
    case STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_RESUME: self = .resume
    case STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_UNREGISTER: self = .unregister
    case STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_RESEND_WINDOWS:
      self = .resendWindows(
        try hours(from: raw.from_window, to: raw.to_window, "from_window", "to_window"))
    case STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_RESEND_DEAD_LETTERS:
      guard raw.n_numbers <= ControlBridgeRequest.numbersMax else {
        throw .invalidField(
          field: "numbers", problem: "has more than \(ControlBridgeRequest.numbersMax) entries")
      }
      self = .resendDeadLetters(column(raw.numbers, raw.n_numbers))
    case STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_IMPORT_RECEIPT:
      self = .importReceipt(bytes(raw.receipt))
    default: throw .invalidField(field: "action", problem: "is needed")
    }
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ControlBridgeRequest, _ packer: borrowing Packer
  ) {
    switch self {
    case .pause: raw.action = STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_PAUSE
    case .resume: raw.action = STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_RESUME
    case .unregister: raw.action = STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_UNREGISTER
    case .resendWindows(let windows):
      raw.action = STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_RESEND_WINDOWS
      raw.from_window = windows.lowerBound.index
      raw.to_window = windows.upperBound.index
    case .resendDeadLetters(let numbers):
      raw.action = STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_RESEND_DEAD_LETTERS
      raw.n_numbers = numbers.count
      let column = packer.arena.buffer(UInt64.self, count: numbers.count)
      for (index, number) in numbers.enumerated() { (column + index).initialize(to: number) }
      raw.numbers = column
    case .importReceipt(let receipt):
      raw.action = STACKMETER__V1__BRIDGE_ACTION__BRIDGE_ACTION_IMPORT_RECEIPT
      raw.receipt = packer.arena.bytes(receipt)
    }
  }
}

/// How many windows, dead letters or records a request was about.
package struct ControlBridgeResponse: WireMessage, Hashable {
  package var count: UInt64

  package init(count: UInt64) {
    self.count = count
  }

  package init(wire raw: borrowing Stackmeter__V1__ControlBridgeResponse) {
    count = raw.count
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ControlBridgeResponse, _ packer: borrowing Packer
  ) {
    raw.count = count
  }
}
