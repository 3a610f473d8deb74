internal import Glibc
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime

/// Asks a gateway before a real query service what a closed month comes to: its FOCUS file, its showback, and whether
/// its statements tie.
struct RateAnswers {
  let options: RateOptions
  let directory: BenchDirectory
  /// What was closed.
  let closed: RateStoreRun.Closed

  private var period: String { RateDataset.period.description }

  func report(_ report: inout BenchReport) async throws {
    let query = try await ServiceProcess.start(
      "query", directory: directory, catalog: options.catalog,
      settings: ["STACKMETER_RATES_CARD": RateDataset.cardName])
    let gateway = try await GatewayProcess.start(directory: directory, catalog: options.catalog)
    let questions: [(String, () async throws -> [Figure])] = [
      ("FOCUS file", { try await focusFile(gateway) }),
      ("showback by subscription", { try await showback(gateway, by: "subscription") }),
      ("showback by location", { try await showback(gateway, by: "location") }),
      ("reconciliation", { try await reconciliation(gateway) }),
    ]
    for (name, ask) in questions {
      let before = (query.figures.cpu, gateway.figures.cpu)
      let begin = ContinuousClock.now
      let found = try await ask()
      let elapsed = ContinuousClock.now - begin
      report.append(
        name,
        [.seconds("elapsed", elapsed)] + found + [
          .seconds("queryCPU", query.figures.cpu - before.0),
          .seconds("gatewayCPU", gateway.figures.cpu - before.1),
          .mebibytes("queryMax", query.figures.residentBytesMax),
          .mebibytes("gatewayMax", gateway.figures.residentBytesMax),
        ])
    }
    try await gateway.stop()
    try await query.kill()
  }

  private func focusFile(_ gateway: GatewayProcess) async throws -> [Figure] {
    let target = "/v1/exports/focus?period=\(period)&version=\(options.focusVersion)"
    let path = options.keepFocus ?? "\(directory.path)/focus.csv"
    let (port, token) = (gateway.port, gateway.token)
    let begin = ContinuousClock.now
    let taken = await blocking {
      Result { () throws(BenchFailure) in try RateAnswers.take(target, port, token, into: path) }
    }
    let check = try taken.get()
    let elapsed = ContinuousClock.now - begin
    guard check.billed == closed.total else {
      throw BenchFailure(
        "the FOCUS file bills \(check.billed.map { "\($0)" } ?? "what is no cost"), "
          + "the statements \(closed.total.map { "\($0)" } ?? "more than fits")")
    }
    return [
      Figure("rows", check.rows, "rows"),
      Figure("rowsPerSecond", perSecond(check.rows, elapsed), "rows/s"),
      .mebibytes("size", check.byteCount),
    ]
  }

  private static func take(
    _ target: String, _ port: Int, _ token: String, into path: String
  ) throws(BenchFailure) -> FocusCheck {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw BenchFailure("create", path, errno: errno) }
    defer { close(file) }
    var check = FocusCheck()
    var isWritten = true
    let connection = try HTTPConnection(port: port)
    let status = try connection.stream(target, headers: ["Authorization: Bearer \(token)"]) {
      bytes in
      check.take(bytes)
      let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      isWritten = isWritten && count == bytes.count
    }
    guard isWritten else { throw BenchFailure("write", path, errno: errno) }
    guard status == 200 else { throw BenchFailure("\(target) was answered with \(status)") }
    return check
  }

  private func showback(_ gateway: GatewayProcess, by key: String) async throws -> [Figure] {
    let answer = try await ask(gateway, "/v1/showback?period=\(period)&groupBy=\(key)")
    guard let total = answer["total"]?.string, Cost(parsing: total) == closed.total else {
      throw BenchFailure("a showback by \(key) comes to \(answer["total"]?.string ?? "nothing")")
    }
    return [Figure("parts", answer["value"]?.array?.count ?? 0, "parts")]
  }

  private func reconciliation(_ gateway: GatewayProcess) async throws -> [Figure] {
    var (pages, statements) = (0, 0)
    var after = ""
    repeat {
      let answer = try await ask(gateway, "/v1/reconciliation?period=\(period)&after=\(after)")
      guard answer["ties"] == .bool(true) else {
        throw BenchFailure("a statement behind \(after) does not tie")
      }
      pages += 1
      statements += answer["value"]?.array?.count ?? 0
      after = answer["nextAfter"]?.string ?? ""
    } while !after.isEmpty
    guard statements == closed.statements else {
      throw BenchFailure("\(statements) statements tie, not \(closed.statements)")
    }
    return [Figure("statements", statements, "statements"), Figure("pages", pages, "pages")]
  }

  private func ask(_ gateway: GatewayProcess, _ target: String) async throws -> JSONObject {
    let (port, token) = (gateway.port, gateway.token)
    let asked = await blocking {
      Result { () throws(BenchFailure) in
        try HTTPConnection(port: port).exchange(
          "GET", target, headers: ["Authorization: Bearer \(token)"], body: [])
      }
    }
    let (status, body) = try asked.get()
    guard status == 200, let value = try? JSONValue(parsing: body, limits: .batch),
      let object = JSONObject(value, path: "")
    else {
      throw BenchFailure(
        "\(target) was answered with \(status): \(String(decoding: body.prefix(500), as: UTF8.self))"
      )
    }
    return object
  }
}
