internal import StackmeterCore
internal import Testing

@testable import AgentServer

@Suite struct AgentConfigurationTests {
  @Test func `the shipped configuration is valid and has no rules`() throws {
    let configuration = try AgentConfiguration(json: repositoryFile("deploy/config/agent.json"))
    var expected = AgentConfiguration()
    expected.defaultSubscription = "00000000-0000-4000-8000-000000000000"
    expected.ignoredInterfaces = ["lo", "veth*", "docker0"].map { NamePattern($0) }
    #expect(configuration == expected)
  }

  @Test func `the rules of the README are valid`() throws {
    let text = String(
      decoding: try repositoryFile("Sources/Services/Agent/README.md"), as: UTF8.self)
    let example = try #require(text.split(separator: "```json\n").dropFirst().first)
    let json = try #require(example.split(separator: "```").first)
    let configuration = try AgentConfiguration(json: Array(json.utf8))
    #expect(configuration.cgroups.count == 2)
    #expect(configuration.users.map(\.user) == [.name("alice"), .id(1001)])
    #expect(configuration.filesystems.map(\.path) == ["/srv"])
    #expect(configuration.directories.map(\.path) == ["/home/bob"])
    #expect(configuration.interfaces.map(\.name) == [NamePattern("tap-alice*")])
  }

  @Test func `everything is optional`() throws {
    #expect(try AgentConfiguration(json: Array("{}".utf8)) == AgentConfiguration())
  }

  @Test func `all problems come at once with their paths`() {
    let text = """
      {"mode": "vm", "reportIntervalSeconds": 7, "sampleIntervalSeconds": 0, "colour": 1,
       "cgroups": [{"path": "relative", "subscription": "a"}, {"path": "/a", "subscription": "a/b"}],
       "users": [{"subscription": "a"}, {"name": "x", "subscription": "a", "shell": "sh"}],
       "interfaces": [{"name": "eth0", "subscription": "a"}, {"name": "eth0", "subscription": "b"}],
       "directories": {}, "ignoredInterfaces": [1]}
      """
    let error = #expect(throws: AgentConfigurationError.self) {
      try AgentConfiguration(json: Array(text.utf8))
    }
    let paths = error?.problems.map { String($0.prefix { $0 != ":" }) }
    #expect(
      paths == [
        "colour", "mode", "sampleIntervalSeconds", "reportIntervalSeconds",
        "sampleIntervalSeconds", "cgroups[0].path", "cgroups[1].subscription", "users[0]",
        "users[1].shell", "directories", "interfaces[1].name", "ignoredInterfaces",
      ])
  }

  @Test func `the most specific rule decides`() {
    var configuration = AgentConfiguration()
    configuration.cgroups = [
      .init(path: NamePattern("/vm/*"), subscription: "all"),
      .init(path: NamePattern("/vm/red-*"), subscription: "red"),
      .init(path: NamePattern("/vm/red-7"), subscription: "seven"),
    ]
    let mapping = SubscriptionMapping(configuration: configuration, host: "Node")
    func subscription(_ path: String) -> String {
      mapping.subscription(of: Subject(.cgroup, path), label: path)
    }
    #expect(subscription("/vm/blue") == "all")
    #expect(subscription("/vm/red-6") == "red")
    #expect(subscription("/vm/red-7") == "seven")
    #expect(subscription("/vm/blue/inner") == "host-node")
    #expect(subscription("/other") == "host-node")
  }
}
