package import GRPCCore
package import StackmeterWire

/// One method of a service that takes and gives one message, for callers whose messages have no type of ours.
package struct TranscodedMethod: Sendable {
  package let descriptor: MethodDescriptor
  package let request: MessageType
  package let response: MessageType

  package init<Request, Response>(_ method: RPCMethod<Request, Response>) {
    descriptor = method.descriptor(.unary)
    request = MessageType(Request.self)
    response = MessageType(Response.self)
  }

  /// `stackmeter.v1.Query/ListMeters`.
  package var path: String { descriptor.fullyQualifiedMethod }
}
