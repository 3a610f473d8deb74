internal import GRPCCore
internal import StackmeterWire
internal import Synchronization

/// The methods of `grpc.health.v1.Health`.
enum HealthMethods {
  static let service = "grpc.health.v1.Health"
  static let check = RPCMethod<HealthCheckRequest, HealthCheckResponse>(service, "Check")
  static let watch = RPCMethod<HealthCheckRequest, HealthCheckResponse>(service, "Watch")
}

/// The standard health service: serving while the service can do its work, not serving once the server was asked to
/// stop.
final class HealthEndpoint: RPCEndpoint {
  static let serviceName = HealthMethods.service

  /// How often a stream looks whether there is something new to tell.
  private static let watchInterval: Duration = .seconds(1)

  private let services: Set<String>
  private let isReady: @Sendable () -> Bool
  private let isStopping = Atomic<Bool>(false)

  init(services: [String], isReady: @escaping @Sendable () -> Bool) {
    self.services = Set(services + [""])
    self.isReady = isReady
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
    // Stopping ends every stream.
    routes.serverStreaming(HealthMethods.watch) { [self] request, writer in
      var told: HealthCheckResponse.Status?
      repeat {
        let status = status(of: request.service) ?? .serviceUnknown
        if status != told { try await writer.write(HealthCheckResponse(status: status)) }
        told = status
      } while (try? await Task.sleep(for: HealthEndpoint.watchInterval)) != nil
    }
  }

  private func status(of service: String) -> HealthCheckResponse.Status? {
    guard services.contains(service) else { return nil }
    return isStopping.load(ordering: .relaxed) || !isReady() ? .notServing : .serving
  }
}
