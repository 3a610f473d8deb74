import GatewayServer
import NIOCore
import NIOPosix
import NIOSSL
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// A gateway with a certificate of `authority`, which takes client certificates of `clients`.
private func withTLSGateway(
  _ authority: TestAuthority, clients: TestAuthority? = nil, required: Bool = false,
  _ body: @Sendable (RunningGateway) async throws -> Void
) async throws {
  try await withGateway(
    configure: { configuration, directory in
      try install(try authority.issue("gateway"), in: directory)
      if let clients { writeFile("\(directory)/clients.pem", try clients.pem) }
      // Client certificates are judged by this clock too.
      configuration.tls = TLSFiles(
        certificate: "\(directory)/certificate.pem", key: "\(directory)/key.pem",
        clientAuthorities: clients == nil ? "" : "\(directory)/clients.pem",
        requiresClientCertificate: required)
    }, body)
}

private func install(_ identity: (certificate: String, key: String), in directory: String) throws {
  writeFile("\(directory)/certificate.pem", identity.certificate)
  writeFile("\(directory)/key.pem", identity.key)
}

/// A client that trusts an authority, with a certificate of its own or without.
private func client(
  trusting authority: TestAuthority, as identity: (certificate: String, key: String)? = nil,
  versions: (TLSVersion, TLSVersion)? = nil
) throws -> NIOSSLContext {
  var configuration = TLSConfiguration.makeClientConfiguration()
  configuration.trustRoots = .certificates([
    try NIOSSLCertificate(bytes: Array(authority.pem.utf8), format: .pem)
  ])
  if let identity {
    configuration.certificateChain = [
      .certificate(try NIOSSLCertificate(bytes: Array(identity.certificate.utf8), format: .pem))
    ]
    configuration.privateKey = .privateKey(
      try NIOSSLPrivateKey(bytes: Array(identity.key.utf8), format: .pem))
  }
  if let (least, most) = versions {
    configuration.minimumTLSVersion = least
    configuration.maximumTLSVersion = most
  }
  return try NIOSSLContext(configuration: configuration)
}

extension RunningGateway {
  /// The status of one request over TLS; nil where there is no answer.
  fileprivate func status(
    _ target: String, over tls: NIOSSLContext?, token: String? = nil, method: String = "GET"
  ) async -> Int? {
    let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    let request = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\(authorization)\r\n"
    return try? await exchange(port: port, Array(request.utf8), tls: tls)?.status
  }

  fileprivate func addCertificate(_ name: String, role: APIKey.Role, sources: [String] = []) throws
  {
    let (key, token) = try APIKeys.create(role: role, certificate: name, sources: sources)
    #expect(token == "")
    try APIKeys.update(file: keysPath) { (keys) throws(APIKeysError) in try keys.add(key) }
    clock.advance(by: .seconds(1))
  }
}

@Suite(.timeLimit(.minutes(1))) struct TLSTests {
  private let ours: TestAuthority
  private let theirs: TestAuthority

  init() throws {
    ours = try TestAuthority("our authority")
    theirs = try TestAuthority("another authority")
  }

  @Test func `HTTPS is served by TLS 1 2 and 1 3, and by nothing older`() async throws {
    try await withTLSGateway(ours) { gateway in
      for version in [TLSVersion.tlsv12, .tlsv13] {
        let client = try client(trusting: ours, versions: (version, version))
        #expect(
          await gateway.status("/v1/meters", over: client, token: gateway.operatorToken) == 200)
        #expect(await gateway.status("/v1/meters", over: client) == 401)
      }
      for version in [TLSVersion.tlsv1, .tlsv11] {
        let client = try client(trusting: ours, versions: (version, version))
        #expect(await gateway.status("/healthz", over: client) == nil)
      }
      #expect(await gateway.status("/healthz", over: nil) == nil)
      #expect(await gateway.status("/healthz", over: try client(trusting: theirs)) == nil)
    }
  }

  @Test func `links lead back to HTTPS`() async throws {
    try await withTLSGateway(ours) { gateway in
      gateway.query.with {
        $0.pages = Array(repeating: .init(aggregates: [], nextPageToken: "next"), count: 99)
      }
      let target =
        "/subscriptions/a/providers/Microsoft.Commerce/UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=2026-11-22&reportedEndTime=2026-11-23"
      let request =
        "GET \(target) HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \(gateway.operatorToken)\r\n\r\n"
      let answer = try await exchange(
        port: gateway.port, Array(request.utf8), tls: try client(trusting: ours))
      #expect(answer?["nextLink"]?.string?.hasPrefix("https://h/") == true)
    }
  }

  @Test func `a client certificate is the caller that the key file says`() async throws {
    try await withTLSGateway(ours, clients: theirs) { gateway in
      try gateway.addCertificate("URI:spiffe://cloud/compute", role: .reporter, sources: ["s"])
      try gateway.addCertificate("CN:operations", role: .operator)
      let compute = try client(
        trusting: ours, as: try theirs.issue("operations", uri: "spiffe://cloud/compute"))
      // A name among the alternatives counts more than the common name.
      #expect(await gateway.status("/v1/status", over: compute) == 403)
      let operations = try client(trusting: ours, as: try theirs.issue("operations"))
      #expect(await gateway.status("/v1/status", over: operations) == 200)
      // A token says more than a certificate, also a bad one.
      #expect(
        await gateway.status("/v1/status", over: compute, token: gateway.operatorToken) == 200)
      #expect(await gateway.status("/v1/status", over: operations, token: "x") == 401)
      for stranger in [
        try theirs.issue("nobody"), try theirs.issue("operations", uri: "spiffe://cloud/x"),
        try theirs.issue("Operations"), try theirs.issue("URI:spiffe://cloud/compute"),
      ] {
        let client = try client(trusting: ours, as: stranger)
        #expect(await gateway.status("/v1/status", over: client) == 401)
      }
      // Without a certificate a token does.
      let plain = try client(trusting: ours)
      #expect(await gateway.status("/v1/status", over: plain) == 401)
      #expect(await gateway.status("/v1/status", over: plain, token: gateway.operatorToken) == 200)
    }
  }

  @Test
  func `a certificate of another authority, an expired one and a self signed one are refused`()
    async throws
  {
    for required in [false, true] {
      try await withTLSGateway(ours, clients: theirs, required: required) { gateway in
        try gateway.addCertificate("CN:operations", role: .operator)
        for bad in [
          try ours.issue("operations"), try theirs.issue("operations", days: -1),
          try TestAuthority.selfSigned("operations"),
        ] {
          let client = try client(trusting: ours, as: bad)
          #expect(await gateway.status("/v1/status", over: client) == nil)
          #expect(
            await gateway.status("/v1/status", over: client, token: gateway.operatorToken) == nil)
        }
        let good = try client(trusting: ours, as: try theirs.issue("operations"))
        #expect(await gateway.status("/v1/status", over: good) == 200)
      }
    }
  }

  @Test func `where certificates are required, nobody comes in without one`() async throws {
    try await withTLSGateway(ours, clients: theirs, required: true) { gateway in
      let plain = try client(trusting: ours)
      #expect(
        await gateway.status("/v1/status", over: plain, token: gateway.operatorToken) == nil)
      #expect(await gateway.status("/healthz", over: plain) == nil)
    }
  }

  @Test func `a certificate that is taken out of the key file is refused within a second`()
    async throws
  {
    try await withTLSGateway(ours, clients: theirs) { gateway in
      try gateway.addCertificate("CN:operations", role: .operator)
      let client = try client(trusting: ours, as: try theirs.issue("operations"))
      #expect(await gateway.status("/v1/status", over: client) == 200)
      let id = try #require(
        try APIKeys(file: gateway.keysPath).keys.first { $0.certificate == "CN:operations" }?.id)
      _ = try APIKeys.update(file: gateway.keysPath) { (keys) throws(APIKeysError) in
        keys.remove(id: id)
      }
      gateway.clock.advance(by: .seconds(1))
      #expect(await gateway.status("/v1/status", over: client) == 401)
    }
  }

  @Test func `new certificates are shown without a restart, and broken ones change nothing`()
    async throws
  {
    try await withTLSGateway(ours) { gateway in
      let (before, after) = (try client(trusting: ours), try client(trusting: theirs))
      #expect(await gateway.status("/healthz", over: before) == 200)
      writeFile("\(gateway.directory)/key.pem", "nonsense")
      gateway.clock.advance(by: .seconds(1))
      #expect(await gateway.status("/healthz", over: before) == 200)
      try install(try theirs.issue("gateway"), in: gateway.directory)
      gateway.clock.advance(by: .seconds(1))
      #expect(await gateway.status("/healthz", over: before) == nil)
      #expect(await gateway.status("/healthz", over: after) == 200)
    }
  }

  @Test func `files that cannot be used stop the start, with their names`() async throws {
    let (good, other) = (try ours.issue("gateway"), try ours.issue("gateway"))
    for (certificate, key, mode, name) in [
      ("", good.key, 0o600, "gateway.tls.certificate"),
      (good.certificate, "x", 0o600, "gateway.tls.key"),
      (good.certificate, other.key, 0o600, "gateway.tls.certificate"),
      (good.certificate, good.key, 0o644, "key.pem: everybody"),
    ] {
      let error = await #expect(throws: SettingsError.self) {
        try await withGateway(
          configure: { configuration, directory in
            writeFile("\(directory)/certificate.pem", certificate)
            writeFile("\(directory)/key.pem", key, mode: mode_t(mode))
            configuration.tls = TLSFiles(
              certificate: "\(directory)/certificate.pem", key: "\(directory)/key.pem")
          }, { _ in })
      }
      #expect(error?.description.contains(name) == true, "\(name)")
    }
  }
}
