import HTTPTypes
import StackmeterCore
import Testing

@testable import GatewayServer

/// The document against the table that it is made of. Foreign validators read it in the system tests.
@Suite(.timeLimit(.minutes(1))) struct OpenAPITests {
  @Test func `every route of the table is described`() async throws {
    try await withTable { table in
      var names: Set<String> = []
      for route in table.routes {
        let at = "\(route.method) \(route.path.text)"
        #expect(!route.description.name.isEmpty, "\(at) needs a description")
        #expect(names.insert(route.description.name).inserted, "\(at): a name of its own")
        #expect(!route.description.answers.isEmpty, "\(at) answers something")
        #expect(
          route.path.text.contains("{id}") == !route.description.pathValue.isEmpty, "\(at)")
      }
    }
  }

  @Test func `the document has every route with its parameters`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.send("GET", "/openapi.json", token: nil)
      #expect(answer.status == 200)
      #expect(answer["openapi"] == .string("3.1.0"))
      let paths = JSONObject(try #require(answer["paths"]), path: "")!
      try await withTable { table in
        for route in table.routes {
          let operations = JSONObject(try #require(paths[route.path.text]), path: "")!
          let operation = try #require(operations[route.method.rawValue.lowercased()])
          let listed = JSONObject(operation, path: "")!["parameters"]?.array ?? []
          let names = listed.compactMap { JSONObject($0, path: "")?["name"]?.string }
          #expect(Set(names).isSuperset(of: route.description.parameters.map(\.name)))
        }
        let count = paths.members.map { JSONObject($0.value, path: "")!.members.count }
        #expect(count.reduce(0, +) == table.routes.count)
      }
    }
  }

  @Test func `a parameter that a route does not declare is refused by name on every route`()
    async throws
  {
    try await withGateway { gateway in
      try await withTable { table in
        // Azure's paths pass over what they do not know, as Azure does; health is asked by anybody's probe.
        for route in table.routes
        where Surface(path: route.path.text) != .azure && !route.path.text.hasSuffix("z") {
          let path = route.path.text.replacing("{id}", with: "1")
          let answer = try await gateway.send(
            route.method.rawValue, path + "?nobody=1", token: gateway.operatorToken)
          #expect(answer.status == 400, "\(path)")
          #expect(answer.text.contains("nobody"), "\(path)")
        }
      }
    }
  }
}
