internal import GRPCCore
internal import QueryClient
internal import StackmeterCommerce
internal import StackmeterCore
internal import StackmeterStore
internal import StackmeterWire

/// Why closed windows could not be read.
private struct ReadFailure: Error {
  let problem: String
  /// The token of the part is not known any more: the window is read from its beginning.
  var isToken = false
}

extension Bridge {
  /// Puts closed windows into the outbox, one after the other, as long as there is a registration.
  func read() async {
    while !Task.isCancelled {
      guard let registration, let outbox else {
        await reading.wait()
        continue
      }
      var isMore = false
      do {
        isMore = try await readPart(registration, outbox)
        note(readProblem: "")
      } catch let failure as ReadFailure {
        note(readProblem: failure.problem)
      } catch {
        note(readProblem: "\(error)")
      }
      if !isMore { await reading.wait(for: configuration.poll) }
    }
  }

  private func note(readProblem problem: String) {
    guard readProblem != problem else { return }
    readProblem = problem
    updateAlerts()
  }

  /// Reads one part of the next window. False where that is not closed.
  private func readPart(
    _ registration: BridgeRegistration, _ outbox: Outbox
  ) async throws -> Bool {
    guard var cursor = try await outbox.cursor() else { return false }
    let place = cursor
    var response = try await export(cursor)
    if response == nil {
      cursor.token = ""
      response = try await export(cursor)
    }
    guard let response, !response.windows.isEmpty else { return false }
    let lines = response.data.split(separator: UInt8(ascii: "\n"))
    // Where the token was forgotten, some rows of the window come that are in batches already.
    let known = max(0, place.rows - (Int64(clamping: response.rows) - Int64(lines.count)))
    var mapper = RecordMapper(registration, meters: try await query.listMeters())
    var builder = BatchBuilder(
      site: registration.site, model: registration.model, window: cursor.window)
    for line in lines.dropFirst(Int(known)) {
      guard let row = ExportLine(line) else {
        throw ReadFailure(problem: "query answers with a row that is no export's")
      }
      if let record = mapper.record(row) { builder.add(id: record.id, json: record.json) }
    }
    var next: ReadCursor?
    if !response.nextPageToken.isEmpty {
      next = place
      next?.token = response.nextPageToken
      next?.rows = max(place.rows, Int64(clamping: response.rows))
    }
    // The registration may be another one meanwhile; then the part is read once more.
    guard self.registration == registration else { return true }
    let batches = builder.finish()
    try await outbox.add(batches, at: place, next: next)
    if !batches.isEmpty { sending.wake() }
    return true
  }

  /// Nil where query does not know the token.
  private func export(_ cursor: ReadCursor) async throws -> ExportUsageResponse? {
    let request = ExportUsageRequest(
      caller: .operator, from: cursor.window, to: cursor.window.next, format: .ndjson,
      pageToken: cursor.token)
    do throws(RPCError) {
      return try await query.exportUsage(request)
    } catch {
      if error.code == .invalidArgument, !cursor.token.isEmpty { return nil }
      throw ReadFailure(problem: "query: \(error.message)")
    }
  }
}
