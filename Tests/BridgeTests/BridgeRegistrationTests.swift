import StackmeterCommerce
import StackmeterCore
import StackmeterRuntime
import Testing

@testable import BridgeServer

@Suite struct BridgeRegistrationTests {
  private func problems(_ text: String) -> [String] {
    do throws(BridgeRegistrationError) {
      _ = try BridgeRegistration(json: Array(text.utf8))
      return []
    } catch {
      return error.problems
    }
  }

  @Test func `a registration is read and written without a loss`() throws {
    let text = #"""
      {"site": "stamp-1", "model": "payAsYouUse", "endpoint": "https://commerce.example/v1/usage",
       "key": "secret", "expires": "2027-01-01T00:00:00Z", "from": "2026-11-01T00:00:00Z",
       "trustRoots": "/etc/roots.pem", "meters": {"6DAB": "CPU-H"}, "customers": {"AB": "c-1"},
       "defaultCustomer": "c-0", "paused": true}
      """#
    let registration = try BridgeRegistration(json: Array(text.utf8))
    #expect(registration.meters == ["6dab": "CPU-H"])
    #expect(registration.customers == ["ab": "c-1"])
    #expect(registration.isPaused && registration.forwards)
    #expect(try BridgeRegistration(json: registration.json()) == registration)
    #expect(registration.isExpired(at: Instant(parsing: "2027-01-01T00:00:00Z")!))
    #expect(!registration.isExpired(at: Instant(parsing: "2026-12-31T23:59:59Z")!))
  }

  @Test func `all problems are said at once`() {
    let text = #"""
      {"model": "free", "endpoint": "http://commerce.example/", "expires": "tomorrow",
       "from": "2026-11-01T00:30:00Z", "meters": {"a": 1}, "customers": [], "paused": 1, "colour": ""}
      """#
    let problems = problems(text)
    for member in [
      "site", "model", "endpoint", "expires", "from", "meters.a", "customers", "paused", "colour",
    ] {
      #expect(problems.contains { $0.hasPrefix("\(member):") }, "\(member) in \(problems)")
    }
  }

  @Test func `each model says what it needs`() {
    #expect(problems(#"{"site":"s","model":"capacity"}"#).isEmpty)
    #expect(
      problems(#"{"site":"s","model":"payAsYouUse"}"#) == [
        "endpoint: is missing", "key: is missing",
      ])
    #expect(
      problems(#"{"site":"s","model":"disconnected"}"#) == [
        "key: is missing", "directory: is missing",
      ])
  }

  @Test func `names that differ in case only are one`() {
    let text = #"{"site":"s","model":"capacity","customers":{"A":"1","a":"2"}}"#
    #expect(problems(text) == ["customers.a: stands twice, as case makes no difference"])
  }

  @Test func `a document has a limit`() {
    let text = String(repeating: " ", count: BridgeLimits.documentBytesMax) + "{}"
    #expect(problems(text) == ["it has more than \(BridgeLimits.documentBytesMax) bytes"])
    let long = String(repeating: "x", count: BridgeRegistration.textBytesMax + 1)
    #expect(problems(#"{"site":"\#(long)","model":"capacity"}"#).count == 1)
    #expect(problems("{\"site\":\"a\\nb\",\"model\":\"capacity\"}").count == 1)
  }

  @Test(arguments: [
    "https://commerce.example", "https://commerce.example:8443/v1?x=1", "http://localhost:80/",
    "http://127.0.0.1:8420/v1/commerce/usage", "http://[::1]:1/",
  ])
  func `an address that keeps usage and key to itself is good`(address: String) {
    #expect(RemoteAddress.problem(of: address) == nil)
  }

  @Test(arguments: [
    "", "commerce.example", "ftp://x", "http://commerce.example", "http://localhost.example/",
    "https://", "https://user:secret@x/", "https://x/#a", "https://x y/", "http://127.0.0.1@x/",
    "http://localhost:1@x/",
  ])
  func `any other is refused`(address: String) {
    #expect(RemoteAddress.problem(of: address) != nil)
  }
}
