import Crypto
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import StackmeterCommerce
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import SwiftASN1
import Synchronization
import Testing
import X509

@testable import BridgeServer

/// How the bridge speaks HTTPS, and what it does not put up with.
@Suite(.timeLimit(.minutes(1))) struct BridgeTransportTests {
  private static let batch: OutgoingBatch = {
    var builder = BatchBuilder(site: "s", model: .payAsYouUse, window: Hour(index: 498_736))
    builder.add(id: "r1-00", json: Array(#"{"id":"r1-00"}"#.utf8))
    let made = builder.finish()[0]
    return OutgoingBatch(
      number: 1, id: made.id, window: made.window, records: made.records, body: made.body)
  }()

  private func send(
    _ endpoint: String, trustRoots: String = "", answerMax: Duration = .seconds(5)
  ) async throws -> HTTPAnswer {
    var members = #""site":"s","model":"payAsYouUse","endpoint":"\#(endpoint)","key":"secret""#
    if !trustRoots.isEmpty { members += #","trustRoots":"\#(trustRoots)""# }
    let registration = try BridgeRegistration(json: Array("{\(members)}".utf8))
    let sender = try HTTPCommerceSender(registration, answerMax: answerMax)
    let result: Result<HTTPAnswer, any Error>
    do {
      result = .success(try await sender.send(Self.batch))
    } catch {
      result = .failure(error)
    }
    await sender.close()
    return try result.get()
  }

  /// Lends a server with a certificate of so many days, which is its own authority.
  private func withTLSServer(
    days: Double,
    _ body: (_ port: Int, _ trustRoots: String, _ requests: Requests) async throws
      -> Void
  ) async throws {
    try await withTemporaryDirectory { directory in
      let key = P256.Signing.PrivateKey()
      let name = try DistinguishedName { CommonName("localhost") }
      let certificate = try Certificate(
        version: .v3, serialNumber: Certificate.SerialNumber(),
        publicKey: Certificate.PublicKey(key.publicKey),
        notValidBefore: Date().addingTimeInterval(-30 * 86_400),
        notValidAfter: Date().addingTimeInterval(days * 86_400), issuer: name, subject: name,
        signatureAlgorithm: .ecdsaWithSHA256,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
          SubjectAlternativeNames([.dnsName("localhost")])
        }, issuerPrivateKey: Certificate.PrivateKey(key))
      let pem = try certificate.serializeAsPEM().pemString
      let roots = "\(directory)/roots.pem"
      try pem.write(toFile: roots, atomically: true, encoding: .utf8)
      let context = try NIOSSLContext(
        configuration: .makeServerConfiguration(
          certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8)).map {
            .certificate($0)
          },
          privateKey: .privateKey(
            try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem))))
      let requests = Requests()
      let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
            try channel.pipeline.syncOperations.configureHTTPServerPipeline()
            try channel.pipeline.syncOperations.addHandler(Answers(requests))
          }
        }.bind(host: "127.0.0.1", port: 0).get()
      let port = try #require(channel.localAddress?.port)
      do {
        try await body(port, roots, requests)
      } catch {
        try await channel.close()
        throw error
      }
      try await channel.close()
    }
  }

  /// How many requests came through.
  final class Requests: Sendable {
    let count = Atomic(0)
  }

  /// Answers every request with 200 and what it was told about.
  private final class Answers: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let requests: Requests

    init(_ requests: Requests) {
      self.requests = requests
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .end = unwrapInboundIn(data) else { return }
      requests.count.add(1, ordering: .relaxed)
      let body = ByteBuffer(string: "{}")
      let head = HTTPResponseHead(
        version: .http1_1, status: .ok, headers: ["Content-Length": "\(body.readableBytes)"])
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }

  @Test func `a service is spoken to whose certificate the named authority has signed`()
    async throws
  {
    try await withTLSServer(days: 1) { port, roots, requests in
      let answer = try await send("https://localhost:\(port)/", trustRoots: roots)
      #expect(answer == HTTPAnswer(status: 200, body: Array("{}".utf8)))
      #expect(requests.count.load(ordering: .relaxed) == 1)
      // Not by the host's authorities, and not under another name.
      await #expect(throws: (any Error).self) { try await send("https://localhost:\(port)/") }
      await #expect(throws: (any Error).self) {
        try await send("https://127.0.0.1:\(port)/", trustRoots: roots)
      }
      #expect(requests.count.load(ordering: .relaxed) == 1)
    }
  }

  @Test func `a service with an expired certificate is told nothing`() async throws {
    try await withTLSServer(days: -1) { port, roots, requests in
      await #expect(throws: (any Error).self) {
        try await send("https://localhost:\(port)/", trustRoots: roots)
      }
      #expect(requests.count.load(ordering: .relaxed) == 0)
    }
  }

  @Test func `a refused connection and a name that nobody has are failures like others`()
    async throws
  {
    let commerce = try FakeCommerce()
    commerce.close()
    await #expect(throws: (any Error).self) { try await send(commerce.endpoint) }
    await #expect(throws: (any Error).self) { try await send("https://nowhere.invalid/") }
  }

  @Test func `an answer that does not come or does not end is given up in time`() async throws {
    let commerce = try FakeCommerce()
    defer { commerce.close() }
    for behaviour in [FakeCommerce.Behaviour.hangs, .trickles] {
      commerce.behave { behaviour }
      let begin = ContinuousClock.now
      await #expect(throws: (any Error).self) {
        try await send(commerce.endpoint, answerMax: .milliseconds(200))
      }
      #expect(ContinuousClock.now - begin < .seconds(5))
    }
  }

  @Test func `trust roots that are none are told when they are registered`() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/roots.pem"
    #expect(HTTPCommerceSender.problem(ofTrustRoots: "") == nil)
    #expect(HTTPCommerceSender.problem(ofTrustRoots: path) != nil)
    try "no certificate".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(HTTPCommerceSender.problem(ofTrustRoots: path) != nil)
  }
}
