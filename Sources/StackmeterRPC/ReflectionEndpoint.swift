internal import GRPCCore
internal import StackmeterWire

/// The method of `grpc.reflection.v1.ServerReflection`.
enum ReflectionMethods {
  static let service = "grpc.reflection.v1.ServerReflection"
  static let info = info(of: service)
  /// The name before the standard was final, which some clients still use. The messages are the same.
  static let alphaInfo = info(of: "grpc.reflection.v1alpha.ServerReflection")

  private static func info(
    of service: String
  ) -> RPCMethod<ServerReflectionRequest, ServerReflectionResponse> {
    RPCMethod(service, "ServerReflectionInfo")
  }
}

/// The standard reflection service: tells clients that have no .proto files what the server speaks.
struct ReflectionEndpoint: RPCEndpoint {
  static let serviceName = ReflectionMethods.service

  private let services: [String]

  /// `services` are the full names of the others.
  init(services: [String]) {
    self.services = (services + [ReflectionMethods.service]).sorted()
  }

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    for method in [ReflectionMethods.info, ReflectionMethods.alphaInfo] {
      routes.bidirectional(method) { requests, writer in
        for try await request in requests {
          try await writer.write(ServerReflectionResponse(to: request, answer(request.question)))
        }
      }
    }
  }

  /// A question without an answer is answered with an error, so that the stream goes on.
  private func answer(
    _ question: ServerReflectionRequest.Question?
  ) -> ServerReflectionResponse.Answer {
    switch question {
    case .services:
      .services(services)
    case .file(let name):
      answer("file \"\(name)\"") { $0.name == name }
    case .fileDeclaring(let symbol):
      answer("symbol \"\(symbol)\"") { $0.symbols.contains(symbol) }
    case .fileExtending(let type, let number):
      answer("extension \(number) of \"\(type)\"") { _ in false }
    case .extensionNumbers(let type):
      answer("extension of \"\(type)\"") { _ in false }
    case nil:
      .error(
        code: Int32(RPCError.Code.invalidArgument.rawValue), message: "message_request is missing")
    }
  }

  /// The file, and all that a client needs to read it.
  private func answer(
    _ wanted: String, where isWanted: (ProtoFile) -> Bool
  ) -> ServerReflectionResponse.Answer {
    guard let file = ProtoFile.all.first(where: isWanted) else {
      return .error(
        code: Int32(RPCError.Code.notFound.rawValue), message: "no \(wanted) is here")
    }
    return .files(file.withImports.map(\.descriptor))
  }
}
