internal import CollectorClient
internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/v1/heartbeats` and `/v1/sources`: how far the sources are that usage is expected of.
struct SourceAnswers: Sendable {
  private static let members: Set<String> = ["source", "cadenceSeconds", "completeUntil", "ended"]

  let query: QueryClient
  let collector: CollectorClient

  /// Says how far a source's usage is reported. Safe to repeat.
  func heartbeat(_ request: GatewayRequest) async throws -> Reply {
    try request.refuseParameters()
    let bytes = try await request.bytes(.heartbeat)
    let heartbeat = try SourceAnswers.heartbeat(bytes)
    try request.caller.requireSources([heartbeat.source])
    let response: HeartbeatResponse
    do throws(RPCError) {
      response = try await collector.heartbeat(heartbeat)
    } catch {
      throw SourceAnswers.problem(error)
    }
    return Reply { writer in
      writer.member("source", string: heartbeat.source)
      if response.cadenceSeconds == 0 {
        writer.member("ended", true)
      } else {
        writer.member("cadenceSeconds", UInt64(response.cadenceSeconds))
        writer.member("completeUntil", string: response.completeUntil.description)
      }
    }
  }

  /// Reads a heartbeat; throws all that is wrong with its form.
  private static func heartbeat(_ bytes: [UInt8]) throws(HTTPProblem) -> Heartbeat {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue(parsing: bytes, limits: .event)
    } catch {
      throw HTTPProblem(.badRequest, "Malformed", error.description)
    }
    guard let object = JSONObject(value, path: "") else {
      throw HTTPProblem(.badRequest, "Malformed", "the body must be a JSON object")
    }
    var problems: [HTTPProblem.Field] = []
    for member in object.members where !members.contains(member.name) {
      problems.append(
        .init(
          field: member.name,
          message: "unknown member; known are \(members.sorted().joined(separator: ", "))"))
    }
    let source = object["source"]?.string
    if source == nil { problems.append(.init(field: "source", message: "must be a text")) }
    var isEnd = false
    switch object["ended"] {
    case nil, .bool(false): break
    case .bool(true): isEnd = true
    default: problems.append(.init(field: "ended", message: "must be true or false"))
    }
    var heartbeat = Heartbeat.end(of: source ?? "")
    if isEnd {
      for name in ["cadenceSeconds", "completeUntil"] where object[name] != nil {
        problems.append(.init(field: name, message: "must be left out where ended is true"))
      }
    } else {
      if case .number(let text)? = object["cadenceSeconds"], let seconds = UInt32(text),
        seconds > 0
      {
        heartbeat.cadenceSeconds = seconds
      } else {
        problems.append(
          .init(
            field: "cadenceSeconds",
            message: "must be a whole number from 1 to \(HeartbeatLimits.cadenceSecondsMax)"))
      }
      if let until = object["completeUntil"]?.string.flatMap({ Instant(parsing: $0) }) {
        heartbeat.completeUntil = until
      } else {
        problems.append(
          .init(
            field: "completeUntil", message: "must be an RFC 3339 time such as 2026-11-23T15:00:00Z"
          ))
      }
    }
    guard problems.isEmpty else { throw .invalid(problems) }
    return heartbeat
  }

  /// The collector names fields as its own messages have them.
  private static func problem(_ error: RPCError) -> any Error {
    guard error.code == .invalidArgument else { return error }
    let names = [
      "complete_until": "completeUntil", "cadence_seconds": "cadenceSeconds", "source": "source",
    ]
    for (name, member) in names where error.message.hasPrefix("\(name): ") {
      return HTTPProblem.invalid(member, String(error.message.dropFirst(name.count + 2)))
    }
    return error
  }

  /// The declared sources, by name.
  func list(_ request: GatewayRequest) async throws -> Reply {
    try request.refuseParameters()
    let sources = try await query.listSources(caller: request.caller)
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in
          for source in sources {
            writer.object { writer in
              writer.member("source", string: source.name)
              writer.member("cadenceSeconds", UInt64(source.cadenceSeconds))
              writer.member("completeUntil", string: source.completeUntil.description)
              writer.member("heardTime", string: source.heardTime.description)
              writer.member("overdueSeconds", UInt64(clamping: source.overdueSeconds))
            }
          }
        })
    }
  }
}

extension JSONWriter {
  /// The sources that an answer still waits for, where there are any.
  mutating func member(missing: MissingSources, name: String = "missingSources") {
    guard !missing.isEmpty else { return }
    member(
      name,
      object: { writer in
        writer.member("count", missing.count)
        if !missing.names.isEmpty {
          writer.member(
            "names", array: { writer in for name in missing.names { writer.string(name) } })
        }
      })
  }
}
