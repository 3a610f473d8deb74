package import GRPCCore
package import StackmeterWire

/// One method of a service: its name on the wire and the types of its messages.
package struct RPCMethod<Request: WireMessage, Response: WireMessage>: Sendable {
  package let descriptor: MethodDescriptor

  /// `service` is the full name, `stackmeter.v1.Collector`.
  package init(_ service: String, _ method: String) {
    descriptor = MethodDescriptor(fullyQualifiedService: service, method: method)
  }

  /// With its type, which lets the transport write a request or response of one message at once.
  func descriptor(_ type: MethodDescriptor.RPCType) -> MethodDescriptor {
    var descriptor = descriptor
    descriptor.type = type
    return descriptor
  }
}

/// What every service promises its peers.
package enum RPCLimits {
  /// One message on the wire, in either direction.
  package static let messageBytesMax = WireLimits.standard.messageBytesMax
  /// What the transport reads of one message. It resets the stream past this, which a caller takes for a lost
  /// connection and tries again; up to this, a message that is too large is refused in words.
  package static let framedBytesMax = 2 * messageBytesMax
  /// The largest request that may be answered on the event loop: a few events, some microseconds.
  package static let quickBytesMax = 4 << 10
  /// Calls that one service works on at once. The next is refused with `RESOURCE_EXHAUSTED`.
  package static let callsInFlightMax = 256
  /// HTTP/2 streams of one connection. More wait in the client, so that one client alone is never refused.
  package static let streamsPerConnectionMax = 128
  /// HTTP/2 frames and flow-control windows, chosen for large batches on a local socket.
  package static let frameBytesMax = 256 << 10
  package static let windowBytes = 4 << 20
  /// How long calls may still run once a service was asked to stop.
  package static let drainMax: Duration = .seconds(5)
}
