internal import StackmeterCore

// The state file: one JSON object. Rows are arrays, because a host has many processes.
//
//   {"version":1,"boot":"…","sequence":7,"intervalStart":ns,"sampledAt":ns,"cgroupPatterns":["…"],
//    "processes":null | [[pid,parent,start,user,own,reaped],…],
//    "cgroups":null | [[path,identity,µs],…], "interfaces":null | [[name,index,received,sent],…],
//    "gauges":[[meter,kind,name,bytes],…], "accumulators":[[meter,kind,name,units,carry],…],
//    "pending":[[id,source,subscription,meter,uri,location,start,end,attos],…]}
//
// Null stands for a baseline that was never read. Numbers are whole and written in full.

extension AgentState {
  /// The only version of the file's form.
  private static let version = 1
  private static let limits = JSONLimits(
    depthMax: 4, valuesMax: 8_000_000, stringBytesMax: 65_536)

  /// The bytes of the state file.
  func json() -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", AgentState.version)
      writer.member("boot", string: bootID)
      writer.member("sequence", sequence)
      writer.member("intervalStart", intervalStart.nanoseconds)
      writer.member("sampledAt", sampledAt.nanoseconds)
      writer.rows("cgroupPatterns", cgroupPatterns.sorted()) { $0.string($1) }
      writer.baseline("processes", processes) { writer, pid, entry in
        writer.numbers(
          pid, entry.parent, entry.start, entry.user, entry.own, entry.reaped)
      }
      writer.baseline("cgroups", cgroups) { writer, path, entry in
        writer.string(path)
        writer.numbers(entry.identity, entry.microseconds)
      }
      writer.baseline("interfaces", interfaces) { writer, name, entry in
        writer.string(name)
        writer.numbers(entry.index, entry.received, entry.sent)
      }
      writer.rows("gauges", gauges.sorted { $0.key < $1.key }) { writer, gauge in
        writer.array { writer in
          writer.account(gauge.key)
          writer.numbers(gauge.value)
        }
      }
      writer.rows("accumulators", accumulators.sorted { $0.key < $1.key }) { writer, entry in
        writer.array { writer in
          writer.account(entry.key)
          writer.numbers(entry.value.units, entry.value.carry)
        }
      }
      writer.rows("pending", pending) { writer, event in
        writer.array { $0.event(event) }
      }
    }
    return writer.bytes
  }

  /// Reads a state file. Throws a sentence where the bytes are not what `json()` makes.
  init(json bytes: [UInt8]) throws(StateProblem) {
    let root: JSONValue
    do {
      root = try JSONValue(parsing: bytes, limits: AgentState.limits)
    } catch {
      throw StateProblem(description: error.description)
    }
    guard let object = JSONObject(root, path: "") else {
      throw StateProblem(description: "must be a JSON object")
    }
    let version: Int = try object.number("version")
    guard version == AgentState.version else {
      throw StateProblem(description: "version \(version) is not known to this agent")
    }
    guard let boot = object["boot"]?.string else {
      throw StateProblem(description: "boot: must be a string")
    }
    self.init(bootID: boot, now: Instant(nanoseconds: try object.number("intervalStart")))
    sampledAt = Instant(nanoseconds: try object.number("sampledAt"))
    sequence = try object.number("sequence")
    cgroupPatterns = Set(try object.list("cgroupPatterns").compactMap(\.string))
    try object.readBaseline("processes", into: &processes) { row throws(StateProblem) in
      let pid: Int32 = try row.number()
      return (
        pid,
        ProcessBaseline(
          parent: try row.number(), start: try row.number(), user: try row.number(),
          own: try row.number(), reaped: try row.number())
      )
    }
    try object.readBaseline("cgroups", into: &cgroups) { row throws(StateProblem) in
      let path = try row.text()
      return (
        path, CgroupBaseline(identity: try row.number(), microseconds: try row.number())
      )
    }
    try object.readBaseline("interfaces", into: &interfaces) { row throws(StateProblem) in
      let name = try row.text()
      return (
        name,
        InterfaceBaseline(
          index: try row.number(), received: try row.number(), sent: try row.number())
      )
    }
    for var row in try object.rows("gauges") {
      let account = try row.account()
      gauges[account] = try row.number()
    }
    for var row in try object.rows("accumulators") {
      let account = try row.account()
      accumulators[account] = Accumulator(units: try row.number(), carry: try row.number())
    }
    for var row in try object.rows("pending") { pending.append(try row.event()) }
  }
}

/// What is wrong with a state file.
struct StateProblem: Error, Equatable, CustomStringConvertible {
  let description: String
}

extension JSONWriter {
  fileprivate mutating func rows<Rows: Sequence>(
    _ name: String, _ rows: Rows, _ write: (inout JSONWriter, Rows.Element) -> Void
  ) {
    member(
      name,
      array: { writer in
        for row in rows { write(&writer, row) }
      })
  }

  fileprivate mutating func baseline<Key, Entry>(
    _ name: String, _ baseline: Baseline<Key, Entry>,
    _ write: (inout JSONWriter, Key, Entry) -> Void
  ) {
    guard baseline.isKnown else { return member(name, raw: "null") }
    rows(name, baseline.entries) { writer, entry in
      writer.array { write(&$0, entry.key, entry.value) }
    }
  }

  fileprivate mutating func numbers(_ numbers: any BinaryInteger...) {
    for number in numbers { raw("\(number)") }
  }

  fileprivate mutating func account(_ account: Account) {
    string(account.meter.id)
    string(account.subject.kind.rawValue)
    string(account.subject.name)
  }

  fileprivate mutating func event(_ event: UsageEvent) {
    string(event.id)
    string(event.source)
    string(event.series.subscription)
    string(event.series.meter)
    string(event.series.resource.uri)
    string(event.series.resource.location)
    numbers(
      event.usageStart.nanoseconds, event.usageEnd.nanoseconds, event.quantity.attos)
  }
}

extension JSONObject {
  fileprivate func list(_ name: String) throws(StateProblem) -> [JSONValue] {
    guard let list = self[name]?.array else {
      throw StateProblem(description: "\(name): must be an array")
    }
    return list
  }

  fileprivate func number<Number: FixedWidthInteger>(
    _ name: String
  ) throws(StateProblem) -> Number {
    guard case .number(let token)? = self[name], let number = Number(token) else {
      throw StateProblem(description: "\(name): must be a whole number")
    }
    return number
  }

  fileprivate func rows(_ name: String) throws(StateProblem) -> [StateRow] {
    try list(name).enumerated().map { (index, value) throws(StateProblem) in
      guard let values = value.array else {
        throw StateProblem(description: "\(name)[\(index)]: must be an array")
      }
      return StateRow(path: "\(name)[\(index)]", values: values[...])
    }
  }

  fileprivate func readBaseline<Key, Entry>(
    _ name: String, into baseline: inout Baseline<Key, Entry>,
    _ read: (inout StateRow) throws(StateProblem) -> (Key, Entry)
  ) throws(StateProblem) {
    if self[name] == .null { return }
    baseline.isKnown = true
    for var row in try rows(name) {
      let (key, entry) = try read(&row)
      baseline.entries[key] = entry
    }
  }
}

/// The values of one row that are not read yet.
private struct StateRow {
  let path: String
  var values: ArraySlice<JSONValue>

  mutating func text() throws(StateProblem) -> String {
    guard let text = values.popFirst()?.string else {
      throw StateProblem(description: "\(path): a string is missing")
    }
    return text
  }

  mutating func number<Number: FixedWidthInteger>() throws(StateProblem) -> Number {
    guard case .number(let token)? = values.popFirst(), let number = Number(token) else {
      throw StateProblem(description: "\(path): a whole number is missing")
    }
    return number
  }

  mutating func account() throws(StateProblem) -> Account {
    guard let meter = AgentMeter(rawValue: try text()),
      let kind = Subject.Kind(rawValue: try text())
    else { throw StateProblem(description: "\(path): a meter or kind is not known") }
    return Account(meter: meter, subject: Subject(kind, try text()))
  }

  mutating func event() throws(StateProblem) -> UsageEvent {
    let id = try text()
    let source = try text()
    let subscription = try text()
    let meter = try text()
    let resource = Resource(uri: try text(), location: try text())
    let start: Int64 = try number()
    let end: Int64 = try number()
    guard let quantity = Quantity(attos: try number()), start <= end else {
      throw StateProblem(description: "\(path): not an event")
    }
    return UsageEvent(
      id: id, source: source,
      series: Series(subscription: subscription, meter: meter, resource: resource),
      usageStart: Instant(nanoseconds: start), usageEnd: Instant(nanoseconds: end),
      quantity: quantity)
  }
}
