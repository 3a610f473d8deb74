internal import GRPCCore
internal import QueryClient
internal import StackmeterCommerce
internal import StackmeterCore
internal import StackmeterStore
internal import StackmeterWire

/// Why closed windows could not be read.
private struct ReadFailure: Error, CustomStringConvertible {
  let description: String
}

/// A part of a closed window's rows, as query gives it.
private struct WindowPart: Sendable {
  /// Where it was asked for.
  let place: ReadCursor
  let data: [UInt8]
  /// The rows of the window up to its end.
  let rows: Int64
  /// Leads to the next part of the window; empty for the last one.
  let token: String

  /// Rows at its beginning that are in batches already: where query had forgotten a token, it has begun anew.
  var knownRows: Int {
    let count = Int64(data.withUnsafeBytes(ExportLines.count))
    return Int(max(0, place.rows - (rows - count)))
  }

  /// How far the window is read with it; nil where that is at its end.
  var nextInWindow: ReadCursor? {
    guard !token.isEmpty else { return nil }
    return ReadCursor(
      window: place.window, token: token, rows: max(place.rows, rows), isAgain: place.isAgain)
  }

  /// What is read after it, unless other windows are to be read again.
  var next: ReadCursor {
    nextInWindow
      ?? ReadCursor(window: place.window.next, token: "", rows: 0, isAgain: place.isAgain)
  }
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
        isMore = try await readOn(registration, outbox)
        note(readProblem: "")
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

  /// Reads part after part. While one is put into the outbox, the next one is asked for, and no more.
  ///
  /// False where the next window is not closed. True where there is something else to be read than what was asked
  /// for, or by another registration.
  private func readOn(
    _ registration: BridgeRegistration, _ outbox: Outbox
  ) async throws -> Bool {
    guard let place = try await outbox.cursor(), var part = try await part(at: place) else {
      return false
    }
    let maker = BatchMaker(registration, meters: try await query.listMeters())
    while true {
      let read = part
      async let ahead = self.part(at: read.next)
      let batches = try await maker.batches(
        of: read.data, droppingFirst: read.knownRows, window: read.place.window)
      // The registration may be another one meanwhile; then the part is read once more.
      guard self.registration == registration else { return true }
      try await outbox.add(batches, at: read.place, next: read.nextInWindow)
      if !batches.isEmpty { sending.wake() }
      note(readProblem: "")
      // The outbox alone knows how far everything is read: what was asked for is no more than a guess.
      guard try await outbox.cursor() == read.next else { return true }
      guard let next = try await ahead else { return false }
      part = next
    }
  }

  /// The part of a window that begins there; nil where the window is not closed.
  private func part(at place: ReadCursor) async throws -> WindowPart? {
    var response = try await export(place.window, token: place.token)
    if response == nil { response = try await export(place.window, token: "") }
    guard let response, !response.windows.isEmpty else { return nil }
    return WindowPart(
      place: place, data: response.data, rows: Int64(clamping: response.rows),
      token: response.nextPageToken)
  }

  /// Nil where query does not know the token.
  private func export(_ window: Hour, token: String) async throws -> ExportUsageResponse? {
    let request = ExportUsageRequest(
      caller: .operator, from: window, to: window.next, format: .ndjson, pageToken: token)
    do throws(RPCError) {
      return try await query.exportUsage(request)
    } catch {
      if error.code == .invalidArgument, !token.isEmpty { return nil }
      throw ReadFailure(description: "query: \(error.message)")
    }
  }
}
