// swift-tools-version: 6.2

import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  // `any` marks every existential, so that its cost is seen. SE-0335
  .enableUpcomingFeature("ExistentialAny"),
  // An import is internal unless it says more. SE-0409
  .enableUpcomingFeature("InternalImportsByDefault"),
  // A member needs the import of the module that declares it. SE-0444
  .enableUpcomingFeature("MemberImportVisibility"),
  // A nonisolated async function runs on its caller's actor. SE-0461
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let grpc: Target.Dependency = .product(name: "GRPCCore", package: "grpc-swift-2")
let grpcTransport: Target.Dependency = .product(
  name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let grpcInProcess: Target.Dependency = .product(
  name: "GRPCInProcessTransport", package: "grpc-swift-2")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(
  name: "HummingbirdCore", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let nioHTTPTypes: Target.Dependency = .product(
  name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(
  name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(
  name: "UnixSignals", package: "swift-service-lifecycle")
let argumentParser: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient: Target.Dependency = .product(
  name: "AsyncHTTPClient", package: "async-http-client")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")

/// A library of ours, at Sources/<name>.
func library(
  _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []
) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

/// One half of a service, at Sources/Services/<service>/<half>.
func service(
  _ service: String, _ half: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
  .target(
    name: service + half, dependencies: dependencies, path: "Sources/Services/\(service)/\(half)",
    exclude: exclude, swiftSettings: settings)
}

/// An executable, at Sources/Programs/<name>.
func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(
    name: name, dependencies: dependencies, path: "Sources/Programs/\(name)",
    swiftSettings: settings)
}

/// The tests of one module, at Tests/<name>.
func tests(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
  .testTarget(
    name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let package = Package(
  name: "stackmeter",
  dependencies: [
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.0"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
    .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.26.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // C: what protoc-c makes, the system's SQLite, Zstandard, zlib and libpq, and what only C can say.
    .target(name: "CStackmeterProto"),
    .target(name: "CStackmeterSupport"),
    .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),

    // The layers, lowest first. Tests/TidyTests holds these arrows.
    library("StackmeterCore", exclude: ["README.md"]),
    library(
      "StackmeterRating", ["StackmeterCore"], exclude: ["README.md", "Focus/README.md"]),
    library("StackmeterOData", ["StackmeterCore"], exclude: ["README.md"]),
    library("StackmeterWebhooks", ["StackmeterCore", crypto]),
    library(
      "StackmeterDelivery",
      [
        "StackmeterCore", "StackmeterRuntime", "StackmeterWebhooks", asyncHTTPClient, nio, nioHTTP1,
      ]),
    library("StackmeterCompression", ["CZlib"]),
    library("StackmeterCommerce", ["StackmeterCore", crypto], exclude: ["README.md"]),
    library("StackmeterWire", ["CStackmeterProto", "StackmeterCore"]),
    library(
      "StackmeterJournal", ["CStackmeterSupport", "CZstd", "StackmeterCore", crypto],
      exclude: ["README.md", "Dedup/README.md"]),
    library(
      "StackmeterStore", ["CPQ", "CSQLite", "StackmeterCore", crypto], exclude: ["README.md"]),
    library(
      "StackmeterBilling", ["StackmeterCore", "StackmeterRating", "StackmeterStore", crypto]),
    library(
      "StackmeterAudit", ["StackmeterCore", "StackmeterJournal", "StackmeterStore", crypto]),
    library(
      "StackmeterRPC",
      ["StackmeterCore", "StackmeterWire", grpc, grpcTransport, nio, nioPosix, logging]),
    library(
      "StackmeterRuntime",
      ["CStackmeterSupport", "StackmeterCore", logging, lifecycle, unixSignals]),

    // The services.
    service("Collector", "Client", ["StackmeterCore", "StackmeterWire", "StackmeterRPC", grpc]),
    service(
      "Collector", "Server",
      [
        "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterJournal",
        "StackmeterRuntime", "CollectorClient", grpc, logging,
      ]),
    service("Aggregator", "Client", ["StackmeterCore", "StackmeterWire", "StackmeterRPC", grpc]),
    service(
      "Aggregator", "Server",
      [
        "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterJournal",
        "StackmeterStore", "StackmeterRuntime", "StackmeterBilling", "StackmeterRating",
        "CollectorClient", "AggregatorClient", grpc,
        logging,
      ]),
    service("Query", "Client", ["StackmeterCore", "StackmeterWire", "StackmeterRPC", grpc]),
    service(
      "Query", "Server",
      [
        "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterStore",
        "StackmeterRuntime", "StackmeterBilling", "StackmeterRating", "CollectorClient",
        "AggregatorClient", "BridgeClient", "QueryClient", grpc, logging,
        crypto, nioPosix,
      ], exclude: ["Export/README.md"]),
    service(
      "Gateway", "Server",
      [
        "StackmeterCommerce", "StackmeterCompression", "StackmeterCore", "StackmeterOData",
        "StackmeterRating", "StackmeterWire", "StackmeterRPC", "StackmeterRuntime",
        "BridgeClient",
        "CollectorClient", "QueryClient", hummingbird, hummingbirdCore, httpTypes, nio, nioHTTP1,
        nioHTTPTypes, nioPosix, nioSSL, x509, asn1, logging, lifecycle, crypto, cryptoExtras, grpc,
      ], exclude: ["Azure/README.md", "OData/README.md"]),
    service(
      "Agent", "Server",
      [
        "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterRuntime",
        "CollectorClient", logging,
      ]),

    service("Bridge", "Client", ["StackmeterCore", "StackmeterWire", "StackmeterRPC", grpc]),
    service(
      "Bridge", "Server",
      [
        "StackmeterCommerce", "StackmeterCompression", "StackmeterCore", "StackmeterWire",
        "StackmeterRPC", "StackmeterRuntime", "StackmeterStore", "BridgeClient", "QueryClient",
        asyncHTTPClient, nio, nioHTTP1, nioSSL, crypto, grpc, logging,
      ], exclude: ["README.md"]),

    // The command line: all of it but main, so that tests reach it.
    library(
      "StackmeterCommand",
      [
        "StackmeterCompression", "StackmeterCore", "StackmeterWire", "StackmeterRPC",
        "StackmeterRuntime", "StackmeterStore", "StackmeterJournal", "StackmeterAudit",
        "StackmeterRating", "StackmeterDelivery", "AggregatorClient", "BridgeClient",
        "CollectorClient", "QueryClient", "GatewayServer", "AggregatorServer", argumentParser,
        crypto, grpc, unixSignals,
      ]),

    // A PostgreSQL server of the host's package, for the load generator and the tests.
    library("LocalPostgreSQL", ["StackmeterRuntime"]),

    // The load generator: all of it but main, so that tests reach it.
    library(
      "StackmeterBench",
      [
        "LocalPostgreSQL", "StackmeterCore", "StackmeterWire", "StackmeterRPC",
        "StackmeterRuntime", "StackmeterStore", "StackmeterBilling", "StackmeterRating",
        "StackmeterCommerce", "StackmeterCompression", "AggregatorClient", "BridgeClient",
        "CollectorClient", "QueryClient", argumentParser, grpc, histogram, unixSignals,
      ], exclude: ["README.md"]),

    // The programs: one thin main each.
    program(
      "stackmeter-collector",
      [
        "StackmeterCore", "StackmeterJournal", "CollectorServer", "StackmeterRPC",
        "StackmeterRuntime", logging,
      ]),
    program(
      "stackmeter-aggregator",
      [
        "AggregatorServer", "CollectorClient", "StackmeterDelivery", "StackmeterRPC",
        "StackmeterRuntime", "StackmeterStore",
      ]),
    program(
      "stackmeter-query",
      [
        "AggregatorClient", "BridgeClient", "CollectorClient", "QueryServer", "StackmeterRPC",
        "StackmeterRuntime", "StackmeterStore",
      ]),
    program(
      "stackmeter-gateway",
      [
        "BridgeClient", "CollectorClient", "GatewayServer", "QueryClient", "StackmeterRPC",
        "StackmeterRuntime",
      ]),
    program(
      "stackmeter-agent",
      [
        "AgentServer", "CollectorClient", "StackmeterCore", "StackmeterRPC", "StackmeterRuntime",
      ]),
    program(
      "stackmeter-bridge",
      ["BridgeServer", "QueryClient", "StackmeterRPC", "StackmeterRuntime"]),
    program("stackmeter", ["StackmeterCommand"]),
    program("stackmeter-bench", ["StackmeterBench"]),

    // The tests.
    library(
      "StackmeterTesting",
      [
        "LocalPostgreSQL", "StackmeterCore", "StackmeterWire", "StackmeterRPC",
        "StackmeterJournal", "StackmeterRuntime", grpc, grpcInProcess, logging,
      ]),
    tests("TidyTests", []),
    tests("StackmeterCoreTests", ["StackmeterCore", "StackmeterTesting"]),
    tests(
      "StackmeterRatingTests",
      [
        "AggregatorClient", "CollectorClient", "QueryClient", "StackmeterCore", "StackmeterRating",
        "StackmeterRuntime", "StackmeterTesting", "StackmeterWire",
      ],
      exclude: ["Scripts", "Focus/read_focus.py", "Running/clock.c", "Statements/Golden"]),
    tests("StackmeterWebhooksTests", ["StackmeterCore", "StackmeterWebhooks"]),
    tests(
      "StackmeterCommandTests",
      [
        "CStackmeterSupport", "StackmeterCommand", "StackmeterCompression", "StackmeterCore",
        "StackmeterRating", "StackmeterWire", "StackmeterRPC", "StackmeterRuntime",
        "StackmeterTesting", "StackmeterDelivery", "StackmeterWebhooks", "BridgeClient",
        "CollectorClient", "QueryClient", argumentParser, grpc, grpcInProcess, logging,
      ]),
    tests(
      "StackmeterBenchTests",
      [
        "LocalPostgreSQL", "StackmeterBench", "StackmeterCore", "StackmeterRating",
        "StackmeterRuntime", "StackmeterStore", "StackmeterTesting", argumentParser,
      ]),
    tests("StackmeterTestingTests", ["StackmeterCore", "StackmeterTesting"]),
    tests("StackmeterODataTests", ["StackmeterOData", "StackmeterCore", "StackmeterTesting"]),
    tests(
      "StackmeterBillingTests",
      [
        "AggregatorClient", "AggregatorServer", "CollectorClient", "QueryClient", "QueryServer",
        "StackmeterBilling", "StackmeterCore", "StackmeterRPC", "StackmeterRating",
        "StackmeterStore", "StackmeterTesting", "StackmeterWire", grpc, logging,
      ]),
    tests("StackmeterCompressionTests", ["StackmeterCompression", "StackmeterTesting"]),
    tests(
      "StackmeterStoreTests",
      ["CSQLite", "StackmeterCore", "StackmeterRuntime", "StackmeterStore", "StackmeterTesting"],
      exclude: ["Golden"]),
    tests(
      "AggregatorTests",
      [
        "AggregatorServer", "AggregatorClient", "CollectorClient", "CollectorServer",
        "LocalPostgreSQL", "StackmeterAudit", "StackmeterCore", "StackmeterJournal",
        "StackmeterRPC", "StackmeterStore", "StackmeterTesting", "StackmeterWire", grpc, logging,
      ]),
    tests(
      "QueryTests",
      [
        "QueryServer", "QueryClient", "AggregatorClient", "CollectorClient", "StackmeterBilling",
        "StackmeterCore", "StackmeterRPC", "StackmeterRating", "StackmeterStore",
        "StackmeterTesting", "StackmeterWire", grpc,
      ]),
    tests("StackmeterWireTests", ["StackmeterWire", "StackmeterCore", "StackmeterTesting"]),
    tests(
      "StackmeterRPCTests",
      [
        "StackmeterRPC", "StackmeterWire", "StackmeterTesting", grpc, grpcTransport, logging,
      ]),
    tests(
      "StackmeterJournalTests",
      ["StackmeterJournal", "StackmeterCore", "StackmeterTesting", "CStackmeterSupport"],
      exclude: ["Golden"]),
    tests(
      "CollectorTests",
      [
        "CollectorServer", "CollectorClient", "StackmeterJournal", "StackmeterCore",
        "StackmeterWire", "StackmeterRPC", "StackmeterTesting", grpc, logging,
      ]),
    tests(
      "FuzzTests",
      ["StackmeterCore", "StackmeterJournal", "StackmeterTesting", "StackmeterWire"],
      exclude: ["Corpus", "Driver.swift", "README.md", "run"]),
    tests(
      "BridgeTests",
      [
        "BridgeServer", "BridgeClient", "QueryClient", "StackmeterCommerce",
        "StackmeterCompression", "StackmeterCore", "StackmeterRPC", "StackmeterRuntime",
        "StackmeterStore", "StackmeterTesting", "StackmeterWire", grpc, logging, nio, nioSSL,
        nioPosix, nioHTTP1, x509, asn1, crypto,
      ]),
    tests("AgentTests", ["AgentServer", "StackmeterCore", "StackmeterTesting"]),
    tests(
      "SystemTests",
      [
        "AggregatorClient", "BridgeClient", "CollectorClient", "LocalPostgreSQL", "QueryClient",
        "StackmeterBilling", "StackmeterCommerce", "StackmeterCompression", "StackmeterCore",
        "StackmeterJournal", "StackmeterRPC", "StackmeterRating", "StackmeterRuntime",
        "StackmeterStore", "StackmeterTesting", "StackmeterWire", grpc, logging,
      ],
      exclude: ["Faults/faults.c", "Python"]),
    tests(
      "GatewayTests",
      [
        "GatewayServer", "StackmeterCommerce", "StackmeterCompression", "StackmeterCore",
        "StackmeterRating",
        "StackmeterWire", "StackmeterRPC", "StackmeterRuntime",
        "CollectorClient", "QueryClient", "StackmeterTesting", hummingbird, httpTypes, nio,
        nioHTTP1, nioPosix, nioSSL, x509, asn1, logging, lifecycle, crypto, cryptoExtras, grpc,
      ]),
  ]
)
