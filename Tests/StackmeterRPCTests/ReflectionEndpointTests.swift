import GRPCCore
import Logging
import StackmeterRPC
import StackmeterTesting
import StackmeterWire
import Testing

@Suite(.timeLimit(.minutes(1))) struct ReflectionEndpointTests {
  @Test(arguments: [
    "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
  ])
  func `the services of a server are its own, health and reflection`(name: String) async throws {
    let answers = try await answers([.services("*")], service: name)
    #expect(
      answers == [
        .services([
          "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "stackmeter.v1.Query",
        ])
      ])
  }

  @Test func `a file comes with what it imports`() async throws {
    let answers = try await answers([
      .file(name: "stackmeter/v1/query.proto"), .file(name: "grpc/health/v1/health.proto"),
    ])
    #expect(
      answers.map(fileNames) == [
        [
          "stackmeter/v1/query.proto", "stackmeter/v1/collector.proto",
          "stackmeter/v1/aggregator.proto", "stackmeter/v1/common.proto",
        ],
        ["grpc/health/v1/health.proto"],
      ])
  }

  @Test func `whatever a file declares is found by its full name`() async throws {
    let expected = [
      ("stackmeter.v1.Query", "stackmeter/v1/query.proto"),
      ("stackmeter.v1.Query.ListUsage", "stackmeter/v1/query.proto"),
      ("stackmeter.v1.ListUsageRequest", "stackmeter/v1/query.proto"),
      ("stackmeter.v1.Granularity", "stackmeter/v1/query.proto"),
      ("stackmeter.v1.GRANULARITY_DAILY", "stackmeter/v1/query.proto"),
      ("stackmeter.v1.Caller.Role", "stackmeter/v1/common.proto"),
      ("stackmeter.v1.Series.TagsEntry", "stackmeter/v1/common.proto"),
      ("stackmeter.v1.Series.tags", "stackmeter/v1/common.proto"),
      ("stackmeter.v1.Collector", "stackmeter/v1/collector.proto"),
      ("grpc.health.v1.Health.Watch", "grpc/health/v1/health.proto"),
      (
        "grpc.reflection.v1.ServerReflectionRequest.message_request",
        "grpc/reflection/v1/reflection.proto"
      ),
    ]
    let answers = try await answers(expected.map { .fileDeclaring(symbol: $0.0) })
    #expect(answers.map { fileNames($0).first } == expected.map { $0.1 })
  }

  @Test func `what is not there is answered with an error and the stream goes on`() async throws {
    let questions: [ServerReflectionRequest.Question?] = [
      .file(name: ""), .file(name: "stackmeter/v1"), .fileDeclaring(symbol: "stackmeter.v1"),
      .fileDeclaring(symbol: "stackmeter.v1.Query."), .fileDeclaring(symbol: ""),
      .fileExtending(type: "stackmeter.v1.Series", number: -1),
      .extensionNumbers(type: "stackmeter.v1.Series"), nil,
      .file(name: "stackmeter/v1/common.proto"),
    ]
    let answers = try await answers(questions)
    #expect(answers.map(errorCode) == [5, 5, 5, 5, 5, 5, 5, 3, nil])
    #expect(answers.last.map(fileNames) == ["stackmeter/v1/common.proto"])
    #expect(answers.first == .error(code: 5, message: "no file \"\" is here"))
  }

  @Test func `every file is there once and after its imports`() {
    var names: Set<String> = []
    for file in ProtoFile.all {
      #expect(names.isSuperset(of: file.imports), "\(file.name)")
      #expect(names.insert(file.name).inserted)
      #expect(fileNames(.files([file.descriptor])) == [file.name])
      for other in ProtoFile.all where other.name != file.name {
        #expect(file.symbols.isDisjoint(with: other.symbols), "\(file.name), \(other.name)")
      }
    }
  }
}

/// A service without methods: reflection knows a service by its name.
private struct QueryEndpoint: RPCEndpoint {
  static let serviceName = "stackmeter.v1.Query"
  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {}
}

/// What a server on a socket answers to questions in one stream, each with the request that it answers.
private func answers(
  _ questions: [ServerReflectionRequest.Question?],
  service: String = "grpc.reflection.v1.ServerReflection"
) async throws -> [ServerReflectionResponse.Answer?] {
  let method = RPCMethod<ServerReflectionRequest, ServerReflectionResponse>(
    service, "ServerReflectionInfo")
  let requests = questions.map { ServerReflectionRequest(host: "here", $0) }
  return try await withTemporaryDirectory { directory in
    let server = try RPCServer(
      socketPath: "\(directory)/s", endpoints: [QueryEndpoint()], logger: Logger(label: "test"))
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let responses = try await withRPCChannel(socketPath: "\(directory)/s") { channel in
        try await requireAnswer(channel)
        return try await channel.bidirectional(method, timeout: .seconds(20)) { writer in
          for request in requests { try await writer.write(request) }
        } consume: { responses in
          try await responses.reduce(into: []) { $0.append($1) }
        }
      }
      server.stop()
      try await group.waitForAll()
      #expect(responses.map(\.originalRequest) == requests)
      return responses.map(\.answer)
    }
  }
}

/// The names that file descriptors start with: field 1, a text.
private func fileNames(_ answer: ServerReflectionResponse.Answer?) -> [String] {
  guard case .files(let files) = answer else { return [] }
  return files.map { file in
    guard file.count > 2, file[0] == 0x0A, file.count >= 2 + Int(file[1]) else { return "" }
    return String(decoding: file[2..<2 + Int(file[1])], as: UTF8.self)
  }
}

private func errorCode(_ answer: ServerReflectionResponse.Answer?) -> Int32? {
  if case .error(let code, _) = answer { code } else { nil }
}
