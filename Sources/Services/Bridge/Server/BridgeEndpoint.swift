internal import BridgeClient
package import GRPCCore
package import StackmeterRPC
internal import StackmeterWire

/// The bridge's calls.
package struct BridgeEndpoint: RPCEndpoint {
  package static let serviceName = BridgeMethods.service

  private let bridge: Bridge

  package init(_ bridge: Bridge) {
    self.bridge = bridge
  }

  package func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let bridge = bridge
    routes.unary(BridgeMethods.getStatus) { _ in await bridge.status() }
    routes.unary(BridgeMethods.register) { try await bridge.register($0) }
    routes.unary(BridgeMethods.control) {
      ControlBridgeResponse(count: try await bridge.control($0))
    }
    routes.unary(BridgeMethods.listDeadLetters) { try await bridge.deadLetters($0) }
  }
}
