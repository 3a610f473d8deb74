import Testing

/// Who may import whom. SwiftPM lets a transitive import pass that was never declared; this does not.
@Suite struct ImportTests {
  /// For each module, the modules that its files may import: of ours, of packages, of the system. What
  /// Package.swift declares and no more. A new target needs a row.
  static let allowed: [String: Set<String>] = [
    "CStackmeterProto": [],
    "CStackmeterSupport": [],
    "CSQLite": [],
    "CZstd": [],
    "CZlib": [],
    "CPQ": [],
    "StackmeterCore": ["Synchronization"],
    "StackmeterRating": ["StackmeterCore"],
    "StackmeterOData": ["StackmeterCore"],
    "StackmeterDelivery": [
      "StackmeterCore", "StackmeterRuntime", "StackmeterWebhooks", "AsyncHTTPClient", "NIOCore",
      "NIOHTTP1",
    ],
    "StackmeterWebhooks": ["StackmeterCore", "Crypto"],
    "StackmeterCompression": ["CZlib"],
    "StackmeterCommerce": ["StackmeterCore", "Crypto"],
    "StackmeterWire": ["CStackmeterProto", "StackmeterCore", "Synchronization", "Glibc"],
    "StackmeterJournal": [
      "CStackmeterSupport", "CZstd", "StackmeterCore", "Crypto", "Synchronization", "Glibc",
    ],
    "StackmeterStore": [
      "CPQ", "CSQLite", "StackmeterCore", "Crypto", "Synchronization", "Glibc",
    ],
    "StackmeterBilling": ["StackmeterCore", "StackmeterRating", "StackmeterStore", "Crypto"],
    "StackmeterAudit": ["StackmeterCore", "StackmeterJournal", "StackmeterStore", "Crypto"],
    "StackmeterRPC": [
      "StackmeterCore", "StackmeterWire", "GRPCCore", "GRPCNIOTransportHTTP2Posix",
      "NIOCore", "NIOPosix", "Logging", "Synchronization", "Glibc",
    ],
    "StackmeterRuntime": [
      "CStackmeterSupport", "StackmeterCore", "Logging", "ServiceLifecycle", "UnixSignals",
      "Synchronization", "Glibc",
    ],
    "CollectorClient": [
      "StackmeterCore", "StackmeterWire", "StackmeterRPC", "GRPCCore", "Synchronization",
    ],
    "CollectorServer": [
      "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterJournal",
      "StackmeterRuntime", "CollectorClient", "GRPCCore", "Logging", "Synchronization", "Glibc",
    ],
    "AggregatorClient": [
      "StackmeterCore", "StackmeterWire", "StackmeterRPC", "GRPCCore", "Synchronization",
    ],
    "AggregatorServer": [
      "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterJournal", "StackmeterStore",
      "StackmeterRuntime", "StackmeterBilling", "StackmeterRating", "CollectorClient",
      "AggregatorClient", "GRPCCore", "Logging", "Synchronization", "Glibc",
    ],
    "QueryClient": [
      "StackmeterCore", "StackmeterWire", "StackmeterRPC", "GRPCCore", "Synchronization",
    ],
    "QueryServer": [
      "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterStore", "StackmeterRuntime",
      "StackmeterBilling", "StackmeterRating",
      "CollectorClient", "AggregatorClient", "BridgeClient", "QueryClient", "GRPCCore",
      "Logging", "Crypto", "NIOPosix", "Synchronization", "Glibc",
    ],
    "BridgeClient": [
      "StackmeterCore", "StackmeterWire", "StackmeterRPC", "GRPCCore", "Synchronization",
    ],
    "BridgeServer": [
      "StackmeterCommerce", "StackmeterCompression", "StackmeterCore", "StackmeterWire",
      "StackmeterRPC", "StackmeterRuntime", "StackmeterStore", "BridgeClient", "QueryClient",
      "AsyncHTTPClient", "NIOCore", "NIOHTTP1", "NIOSSL", "Crypto", "GRPCCore", "Logging",
      "Synchronization", "Glibc",
    ],
    "GatewayServer": [
      "StackmeterCommerce", "StackmeterCompression", "StackmeterCore", "StackmeterOData",
      "StackmeterRating", "StackmeterWire", "StackmeterRPC", "StackmeterRuntime", "BridgeClient",
      "CollectorClient", "QueryClient", "Hummingbird", "HummingbirdCore", "HTTPTypes", "NIOCore",
      "NIOHTTP1", "NIOHTTPTypes", "NIOPosix", "NIOSSL", "SwiftASN1", "X509", "ServiceLifecycle",
      "Logging",
      "Crypto", "CryptoExtras", "GRPCCore", "Synchronization", "Glibc",
    ],
    "AgentServer": [
      "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterRuntime",
      "CollectorClient", "Logging", "Synchronization", "Glibc",
    ],
    "stackmeter-collector": [
      "CollectorServer", "Logging", "StackmeterCore", "StackmeterJournal", "StackmeterRPC",
      "StackmeterRuntime",
    ],
    "stackmeter-aggregator": [
      "StackmeterDelivery",
      "AggregatorServer", "CollectorClient", "StackmeterRPC", "StackmeterRuntime",
      "StackmeterStore",
    ],
    "stackmeter-query": [
      "AggregatorClient", "BridgeClient", "CollectorClient", "QueryServer", "StackmeterRPC",
      "StackmeterRuntime", "StackmeterStore",
    ],
    "stackmeter-gateway": [
      "BridgeClient", "CollectorClient", "GatewayServer", "QueryClient", "StackmeterRPC",
      "StackmeterRuntime",
    ],
    "stackmeter-agent": [
      "AgentServer", "CollectorClient", "Logging", "StackmeterCore", "StackmeterRPC",
      "StackmeterRuntime",
    ],
    "stackmeter-bridge": [
      "BridgeServer", "QueryClient", "StackmeterRPC", "StackmeterRuntime",
    ],
    "StackmeterCommand": [
      "StackmeterCompression", "StackmeterCore", "StackmeterWire", "StackmeterRPC",
      "StackmeterRuntime", "StackmeterStore", "StackmeterJournal", "StackmeterAudit",
      "StackmeterRating", "StackmeterDelivery", "AggregatorClient", "BridgeClient",
      "CollectorClient", "QueryClient", "GatewayServer", "AggregatorServer", "ArgumentParser",
      "Crypto", "GRPCCore", "UnixSignals", "Glibc", "Synchronization",
    ],
    "LocalPostgreSQL": ["StackmeterRuntime", "Glibc", "Synchronization"],
    "StackmeterBench": [
      "LocalPostgreSQL", "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterRuntime",
      "StackmeterStore", "StackmeterBilling", "StackmeterRating", "StackmeterCommerce",
      "StackmeterCompression", "AggregatorClient", "BridgeClient", "CollectorClient",
      "QueryClient", "ArgumentParser",
      "GRPCCore", "Histogram", "UnixSignals", "Glibc", "Synchronization",
    ],
    "stackmeter": ["StackmeterCommand"],
    "stackmeter-bench": ["StackmeterBench"],
    "StackmeterTesting": [
      "LocalPostgreSQL", "StackmeterCore", "StackmeterWire", "StackmeterRPC", "StackmeterJournal",
      "StackmeterRuntime", "GRPCCore",
      "GRPCInProcessTransport", "Foundation", "Glibc", "Logging", "Synchronization",
    ],
  ]

  @Test func `every import is one that the table allows`() throws {
    for path in try SourceTree.files(below: "Sources", suffix: ".swift") {
      let module = SourceTree.module(of: path)
      guard let allowed = Self.allowed[module] else { continue }
      for (index, line) in try SourceTree.lines(path).enumerated() {
        guard let imported = importedModule(line) else { continue }
        if !allowed.contains(imported) {
          Issue.record("\(path):\(index + 1): \(module) may not import \(imported)")
        }
      }
    }
  }

  @Test func `the table has a row for each module of the tree and no other`() throws {
    let modules = Set(
      try SourceTree.files(below: "Sources").filter { !$0.hasSuffix(".md") }
        .map(SourceTree.module(of:)))
    for module in modules.subtracting(Self.allowed.keys).sorted() {
      Issue.record("Sources: \(module) has no row in the table of imports")
    }
    for module in Set(Self.allowed.keys).subtracting(modules).sorted() {
      Issue.record("the table of imports: there is no module \(module) in Sources")
    }
  }

  @Test func `Package swift declares every import that the table allows`() throws {
    let manifest = try SourceTree.lines("Package.swift").joined(separator: "\n")
    let system: Set<String> = ["Foundation", "Glibc", "Synchronization"]
    for (module, imports) in Self.allowed {
      for imported in imports.subtracting(system) where !manifest.contains("\"\(imported)\"") {
        Issue.record("Package.swift: \(imported), which \(module) may import, is not declared")
      }
    }
  }

  @Test func `the core imports the standard library only, and rating the core only`() {
    #expect(Self.allowed["StackmeterCore"] == ["Synchronization"])
    #expect(Self.allowed["StackmeterRating"] == ["StackmeterCore"])
  }

  @Test(arguments: [
    ("CStackmeterProto", "StackmeterWire"), ("CSQLite", "StackmeterStore"),
    ("CPQ", "StackmeterStore"), ("CZlib", "StackmeterCompression"),
  ])
  func `a C module has one importer`(module: String, importer: String) {
    #expect(Self.allowed.filter { $0.value.contains(module) }.map(\.key) == [importer])
  }

  @Test func `nothing in Sources imports what is for tests`() {
    for (module, imports) in Self.allowed {
      #expect(imports.isDisjoint(with: ["StackmeterTesting", "Testing", "XCTest"]), "\(module)")
    }
  }

  @Test func `a server is imported by programs and the command line only`() {
    for (module, imports) in Self.allowed {
      let servers = imports.filter { $0.hasSuffix("Server") }
      if !module.hasPrefix("stackmeter-") && module != "StackmeterCommand" {
        #expect(servers.isEmpty, "\(module)")
      }
      // The command line works upon the files of any service that does not run.
      if module != "StackmeterCommand" { #expect(servers.count <= 1, "\(module)") }
    }
  }

  @Test func `Foundation is for tests`() {
    let importers = Self.allowed.filter { $0.value.contains("Foundation") }.map(\.key)
    #expect(Set(importers) == ["StackmeterTesting"])
  }

  @Test(arguments: [
    ("import A", "A"), ("internal import B", "B"), ("package import struct C.D", "C"),
    ("@testable import E", "E"), ("@preconcurrency internal import F // why", "F"),
    ("  import G", "G"), ("import func H.i", "H"), ("import J;", "J"),
    ("let text = \"import K\"", nil), ("// import L", nil), ("important", nil),
    ("/// Who may import whom.", nil),
  ])
  func `an import is found in any of its forms`(line: String, module: String?) {
    #expect(importedModule(line) == module)
  }
}

/// The module that a line of Swift imports, or nil for any other line.
private func importedModule(_ line: String) -> String? {
  let declarations: Set<Substring> = [
    "struct", "class", "enum", "protocol", "func", "var", "let", "typealias", "actor",
  ]
  let modifiers: Set<Substring> = ["internal", "package", "public", "private", "fileprivate"]
  var words = line.split(separator: " ")[...]
  while let first = words.first, first.hasPrefix("@") || modifiers.contains(first) {
    words.removeFirst()
  }
  guard words.popFirst() == "import" else { return nil }
  if let first = words.first, declarations.contains(first) { words.removeFirst() }
  return words.first?.split { $0 == "." || $0 == ";" }.first.map(String.init)
}
