package import StackmeterRPC
package import StackmeterWire

/// The methods of `stackmeter.v1.Bridge`.
package enum BridgeMethods {
  package static let service = "stackmeter.v1.Bridge"
  package static let getStatus = RPCMethod<GetStatusRequest, BridgeStatus>(service, "GetStatus")
  package static let register = RPCMethod<RegisterBridgeRequest, BridgeStatus>(
    service, "SetRegistration")
  package static let control = RPCMethod<ControlBridgeRequest, ControlBridgeResponse>(
    service, "Control")
  package static let listDeadLetters = RPCMethod<ListDeadLettersRequest, ListDeadLettersResponse>(
    service, "ListDeadLetters")
}
