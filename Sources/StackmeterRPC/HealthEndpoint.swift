internal import GRPCCore
internal import StackmeterWire
internal import Synchronization

/// The methods of `grpc.health.v1.Health`.
enum HealthMethods {
  static let service = "grpc.health.v1.Health"
  static let check = RPCMethod<HealthCheckRequest, HealthCheckResponse>(service, "Check")
  static let watch = RPCMethod<HealthCheckRequest, HealthCheckResponse>(service, "Watch")
}

/// The standard health service: serving from the start, not serving once the server was asked to stop.
final class HealthEndpoint: RPCEndpoint {
  static let serviceName = HealthMethods.service

  private let services: Set<String>
  private let isStopping = Atomic<Bool>(false)

  init(services: [String]) {
    self.services = Set(services + [""])
  }

  func stop() {
    isStopping.store(true, ordering: .relaxed)
  }

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.unary(HealthMethods.check, quick: true) { [self] request in
      guard let status = status(of: request.service) else {
        throw RPCError(code: .notFound, message: "no service \"\(request.service)\" is here")
      }
      return HealthCheckResponse(status: status)
    }
    // The state changes once, by stopping, and that ends every stream; so the first message is the last.
    routes.serverStreaming(HealthMethods.watch) { [self] request, writer in
      try await writer.write(
        HealthCheckResponse(status: status(of: request.service) ?? .serviceUnknown))
      await StopSignal().wait()
    }
  }

  private func status(of service: String) -> HealthCheckResponse.Status? {
    guard services.contains(service) else { return nil }
    return isStopping.load(ordering: .relaxed) ? .notServing : .serving
  }
}
