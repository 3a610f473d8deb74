internal import StackmeterCore

/// Every problem of a configuration at once, each with the path of its field.
package struct AgentConfigurationError: Error, Equatable, CustomStringConvertible {
  package let problems: [String]

  package var description: String { problems.joined(separator: "; ") }
}

extension AgentConfiguration {
  /// Reads the configuration file: one JSON object whose members are all optional. Unknown members are refused.
  ///
  /// ```json
  /// {"host": "node-1", "defaultSubscription": "…", "location": "local", "mode": "auto",
  ///  "reportIntervalSeconds": 60, "sampleIntervalSeconds": 5, "directoryIntervalSeconds": 60,
  ///  "cgroups": [{"path": "/machine.slice/*", "subscription": "…"}],
  ///  "users": [{"name": "alice", "subscription": "…"}, {"uid": 1001, "subscription": "…"}],
  ///  "filesystems": [{"path": "/srv", "subscription": "…"}],
  ///  "directories": [{"path": "/srv/alice", "subscription": "…"}],
  ///  "interfaces": [{"name": "tap-alice*", "subscription": "…"}],
  ///  "ignoredInterfaces": ["lo", "veth*"]}
  /// ```
  package init(json bytes: [UInt8]) throws(AgentConfigurationError) {
    let root: JSONValue
    do {
      root = try JSONValue(parsing: bytes, limits: .configuration)
    } catch {
      throw AgentConfigurationError(problems: [error.description])
    }
    guard let object = JSONObject(root, path: "") else {
      throw AgentConfigurationError(problems: ["the configuration must be a JSON object"])
    }
    self.init()
    var reader = ConfigurationReader()
    reader.checkMembers(
      object,
      known: [
        "host", "defaultSubscription", "location", "mode", "reportIntervalSeconds",
        "sampleIntervalSeconds", "directoryIntervalSeconds", "cgroups", "users", "filesystems",
        "directories", "interfaces", "ignoredInterfaces",
      ])
    if object["host"] != nil { host = reader.name(object, "host", maxBytes: 128) }
    if object["defaultSubscription"] != nil {
      defaultSubscription = reader.subscription(object, "defaultSubscription")
    }
    if object["location"] != nil {
      location = reader.name(object, "location", maxBytes: EventLimits.locationBytesMax)
    }
    mode = reader.mode(object) ?? mode
    reader.readIntervals(object, into: &self)
    readRules(object, with: &reader)
    guard reader.problems.isEmpty else {
      throw AgentConfigurationError(problems: reader.problems)
    }
  }

  private mutating func readRules(_ object: JSONObject, with reader: inout ConfigurationReader) {
    cgroups = reader.rules(object, "cgroups", members: ["path"]) { rule, subscription, reader in
      CgroupRule(
        path: NamePattern(reader.absolutePath(rule, "path")), subscription: subscription)
    }
    users = reader.rules(object, "users", members: ["name", "uid"]) { rule, subscription, reader in
      UserRule(user: reader.user(rule), subscription: subscription)
    }
    filesystems = reader.rules(object, "filesystems", members: ["path"]) { rule, id, reader in
      PathRule(path: reader.absolutePath(rule, "path"), subscription: id)
    }
    directories = reader.rules(object, "directories", members: ["path"]) { rule, id, reader in
      PathRule(path: reader.absolutePath(rule, "path"), subscription: id)
    }
    interfaces = reader.rules(object, "interfaces", members: ["name"]) { rule, id, reader in
      InterfaceRule(
        name: NamePattern(reader.name(rule, "name", maxBytes: 64)), subscription: id)
    }
    if let value = object["ignoredInterfaces"] {
      let names = value.array?.compactMap(\.string) ?? []
      if names.isEmpty ? value.array?.isEmpty != true : names.count != value.array?.count {
        reader.problems.append("ignoredInterfaces: must be an array of names")
      }
      ignoredInterfaces = names.map { NamePattern($0) }
    }
  }
}

/// Reads members and gathers what is wrong with them.
private struct ConfigurationReader {
  var problems: [String] = []

  private mutating func add(_ object: JSONObject, _ name: String, _ problem: String) {
    problems.append("\(object.path.isEmpty ? name : "\(object.path).\(name)"): \(problem)")
  }

  mutating func checkMembers(_ object: JSONObject, known: Set<String>) {
    problems += object.unknownMembers(known: known)
  }

  /// A text without spaces and controls: what may stand in a source or a URI.
  mutating func name(_ object: JSONObject, _ name: String, maxBytes: Int) -> String {
    guard let text = object[name]?.string, !text.isEmpty, text.utf8.count <= maxBytes,
      text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else {
      add(object, name, "must be 1 to \(maxBytes) visible ASCII characters")
      return ""
    }
    return text
  }

  /// A subscription's id, which must also be a segment of a URI.
  mutating func subscription(_ object: JSONObject, _ name: String) -> String {
    guard let text = object[name]?.string,
      (1...EventLimits.subscriptionBytesMax).contains(text.utf8.count),
      text == text.percentEncoded(bytesMax: EventLimits.subscriptionBytesMax)
    else {
      let most = EventLimits.subscriptionBytesMax
      add(object, name, "must be 1 to \(most) letters, digits, or any of - . _ ~ @ :")
      return ""
    }
    return text
  }

  mutating func absolutePath(_ object: JSONObject, _ name: String) -> String {
    guard let text = object[name]?.string, text.utf8.first == UInt8(ascii: "/"),
      text.utf8.count <= 4096, text == "/" || text.utf8.last != UInt8(ascii: "/")
    else {
      add(object, name, "must be a path that starts with / and does not end with /")
      return "/"
    }
    return text
  }

  mutating func mode(_ object: JSONObject) -> AgentConfiguration.Mode? {
    guard let value = object["mode"] else { return nil }
    let mode = AgentConfiguration.Mode(rawValue: value.string ?? "")
    if mode == nil {
      let known = AgentConfiguration.Mode.allCases.map(\.rawValue).joined(separator: ", ")
      add(object, "mode", "must be one of \(known)")
    }
    return mode
  }

  mutating func user(_ rule: JSONObject) -> AgentConfiguration.UserRule.User {
    switch (rule["name"], rule["uid"]) {
    case (.string(let name)?, nil) where !name.isEmpty:
      return .name(name)
    case (nil, .number(let token)?):
      if let id = UInt32(token) { return .id(id) }
      add(rule, "uid", "must be a user's number")
    default:
      problems.append("\(rule.path): must have either the user's name or its uid")
    }
    return .name("")
  }

  private mutating func seconds(
    _ object: JSONObject, _ name: String, _ range: ClosedRange<Int>, default value: Int
  ) -> Int {
    guard let member = object[name] else { return value }
    guard case .number(let token) = member, let seconds = Int(token), range.contains(seconds)
    else {
      add(object, name, "must be \(range.lowerBound) to \(range.upperBound) whole seconds")
      return value
    }
    return seconds
  }

  mutating func readIntervals(
    _ object: JSONObject, into configuration: inout AgentConfiguration
  ) {
    let report = seconds(object, "reportIntervalSeconds", 1...3600, default: 60)
    let sample = seconds(object, "sampleIntervalSeconds", 1...60, default: min(5, report))
    let directory = seconds(object, "directoryIntervalSeconds", 1...3600, default: 60)
    if 3600 % report != 0 {
      add(object, "reportIntervalSeconds", "must divide an hour, as 60 or 300 does")
    }
    if report % sample != 0 {
      add(object, "sampleIntervalSeconds", "must divide the report interval of \(report) s")
    }
    configuration.reportInterval = .seconds(report)
    configuration.sampleInterval = .seconds(sample)
    configuration.directoryInterval = .seconds(directory)
  }

  mutating func rules<Rule>(
    _ object: JSONObject, _ name: String, members: [String],
    _ read: (JSONObject, String, inout ConfigurationReader) -> Rule
  ) -> [Rule] {
    guard let value = object[name] else { return [] }
    guard let list = value.array else {
      add(object, name, "must be an array of objects")
      return []
    }
    var rules: [Rule] = []
    var subjects: Set<JSONValue> = []
    for (index, element) in list.enumerated() {
      guard let rule = JSONObject(element, path: "\(name)[\(index)]") else {
        problems.append("\(name)[\(index)]: must be an object")
        continue
      }
      checkMembers(rule, known: Set(members + ["subscription"]))
      for member in members {
        guard let subject = rule[member], !subjects.insert(subject).inserted else { continue }
        add(rule, member, "is mapped by an earlier rule too")
      }
      let id = subscription(rule, "subscription")
      rules.append(read(rule, id, &self))
    }
    return rules
  }
}
