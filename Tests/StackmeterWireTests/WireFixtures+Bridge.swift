import StackmeterCore
import StackmeterWire

extension WireFixture {
  static let bridge = [
    WireFixture(
      "stackmeter.v1.RegisterBridgeRequest",
      [
        RegisterBridgeRequest(document: []),
        RegisterBridgeRequest(document: [0xEF, 0, 255], isDryRun: true),
      ]),
    WireFixture("stackmeter.v1.BridgeStatus", [BridgeStatus(), .full]),
    WireFixture(
      "stackmeter.v1.ControlBridgeRequest",
      [
        ControlBridgeRequest.pause, .resume, .unregister,
        .resendWindows(Hour(index: 498_736)..<Hour(index: 498_738)),
        .resendDeadLetters([]), .resendDeadLetters([1, .max]), .importReceipt([0, 255]),
      ]),
    WireFixture(
      "stackmeter.v1.ControlBridgeResponse",
      [ControlBridgeResponse(count: 0), ControlBridgeResponse(count: .max)]),
    WireFixture(
      "stackmeter.v1.ListDeadLettersRequest",
      [
        ListDeadLettersRequest(),
        ListDeadLettersRequest(
          pageSize: ListDeadLettersRequest.pageSizes.upperBound, after: .max),
      ]),
    WireFixture(
      "stackmeter.v1.ListDeadLettersResponse",
      [
        ListDeadLettersResponse(letters: []),
        ListDeadLettersResponse(
          letters: [
            DeadLetter(
              number: 0, id: "", code: "", reason: "", refused: Instant(nanoseconds: 0),
              window: Hour(index: 0), record: []),
            DeadLetter(
              number: .max, id: "r1-ü", code: "Conflict", reason: "has another quantity",
              refused: Instant(nanoseconds: 1_900_000_000_000_000_000),
              window: Hour(index: 498_736), record: Array("{}".utf8)),
          ], nextAfter: .max),
      ]),
  ]
}

extension BridgeStatus {
  fileprivate static var full: BridgeStatus {
    var status = BridgeStatus()
    status.state = "active"
    status.site = "stàmp"
    status.endpoint = "https://commerce.example/v1/usage"
    status.model = "payAsYouUse"
    status.expires = Instant(nanoseconds: .max)
    status.nextWindow = Hour(index: 498_736)
    status.pending = 1
    status.sent = 2
    status.acknowledged = .max
    status.refused = 4
    status.circuit = "half-open"
    status.retryAt = Instant(nanoseconds: 1)
    status.problem = "503"
    status.lastAcknowledged = Instant(nanoseconds: 2)
    status.alerts = [
      BridgeAlert(id: "", title: "", description: "", opened: Instant(nanoseconds: 0)),
      BridgeAlert(
        id: "UnableToConnect", title: "t", description: "ü", opened: Instant(nanoseconds: .max)),
    ]
    status.oldestWindow = Hour(index: 498_735)
    status.attempts = .max
    status.failures = 5
    return status
  }
}
