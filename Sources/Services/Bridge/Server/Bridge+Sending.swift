internal import Logging
internal import StackmeterCommerce
internal import StackmeterCore
internal import StackmeterStore

/// A batch that was sent, and what came of it.
///
/// A type of its own: with a tuple of the batch and a `Result`, Swift 6.3.1 makes an optimized program that crashes
/// when the group hands it over.
private struct Try: Sendable {
  let batch: OutgoingBatch
  /// Nil where nobody knows what became of it.
  let answer: HTTPAnswer?
  let problem: String

  init(_ batch: OutgoingBatch, by sender: any CommerceSender) async {
    self.batch = batch
    do {
      answer = try await sender.send(batch)
      problem = ""
    } catch {
      answer = nil
      problem = "\(error)"
    }
  }
}

extension Bridge {
  /// Sends what the outbox has, as long as the registration says so.
  func send() async {
    while !Task.isCancelled {
      do {
        try await sendSome()
      } catch {
        // The outbox cannot be written, or the registration's trust roots cannot be read.
        machine.failed("\(error)", retryAfter: nil, at: now, using: &random)
        failures += 1
        updateAlerts()
      }
    }
  }

  /// Sends a few batches, or waits until there is something to be done.
  private func sendSome() async throws {
    guard let registration, let outbox, !registration.isPaused,
      registration.model != .capacity
    else { return await sending.wait() }
    if let expires = registration.expires {
      let left = expires - clock.now()
      guard left > .zero else { return await sending.wait() }
    }
    guard case .send(let limit) = machine.step(at: now) else {
      if case .wait(let time) = machine.step(at: now) { await sending.wait(for: time - now) }
      return
    }
    guard registration.model != .disconnected else {
      return try await carry(registration, outbox)
    }
    let sender = try self.sender ?? makeSender(registration)
    self.sender = sender
    let batches = try await outbox.take(limit)
    guard !batches.isEmpty else { return await sending.wait() }
    let tries = await withTaskGroup(of: Try.self) { group in
      for batch in batches { group.addTask { await Try(batch, by: sender) } }
      var tries: [Try] = []
      for await one in group { tries.append(one) }
      return tries
    }
    attempts += UInt64(batches.count)
    // An end by cancellation says nothing about the service.
    if Task.isCancelled { return }
    try await apply(tries, outbox)
  }

  /// Each answer is one transaction. Where any batch could not be settled, there is a pause.
  private func apply(_ tries: [Try], _ outbox: Outbox) async throws {
    var failure: (problem: String, retryAfter: Duration?)?
    var refusal: String?
    for one in tries {
      let verdict =
        one.answer.map { Verdict($0, to: one.batch, at: clock.now()) }
        ?? .again(one.problem, after: nil)
      switch try await settle(one.batch, verdict, outbox) {
      case .again(let problem, let retryAfter):
        failures += 1
        failure = (problem, [failure?.retryAfter, retryAfter].compactMap(\.self).max())
      case .unregistered(let problem):
        failures += 1
        refusal = problem
      case .settled, .divided: break
      }
    }
    isRefused = refusal != nil
    if let refusal {
      machine.failed(refusal, retryAfter: failure?.retryAfter, at: now, using: &random)
    } else if let failure {
      machine.failed(failure.problem, retryAfter: failure.retryAfter, at: now, using: &random)
      logger.info("a batch is sent again", metadata: ["problem": "\(failure.problem)"])
    } else {
      machine.succeeded()
    }
    if refusal != nil || failure != nil || !alerts.open.isEmpty {
      try await refreshTotals()
      updateAlerts()
    }
  }

  /// Does what the verdict says; gives it back, or what it came to.
  func settle(
    _ batch: OutgoingBatch, _ verdict: Verdict, _ outbox: Outbox
  ) async throws -> Verdict {
    switch verdict {
    case .again, .unregistered: break
    case .settled([]):
      try await outbox.settle(batch, refused: [], at: clock.now())
      lastAcknowledged = clock.now()
    case .settled(let refusals):
      guard let opened = OpenedBatch(batch.body) else { throw damaged(batch) }
      let records = Dictionary(opened.records, uniquingKeysWith: { first, _ in first })
      var refused: [RefusedRecord] = []
      for refusal in refusals {
        guard let record = records[refusal.id] else {
          return .again(
            "refuses the record \(refusal.id), which the batch does not have", after: nil)
        }
        refused.append(
          RefusedRecord(
            id: refusal.id, code: refusal.code, reason: refusal.reason, record: record))
      }
      try await outbox.settle(batch, refused: refused, at: clock.now())
      lastAcknowledged = clock.now()
      try await noteRefused(refused)
    case .divided(let code, let reason):
      guard let opened = OpenedBatch(batch.body) else { throw damaged(batch) }
      if opened.records.count > 1 {
        try await outbox.replace(batch, by: opened.halves(window: batch.window))
      } else {
        let refused = opened.records.map {
          RefusedRecord(id: $0.id, code: code, reason: reason, record: $0.json)
        }
        try await outbox.settle(batch, refused: refused, at: clock.now())
        try await noteRefused(refused)
      }
    }
    return verdict
  }

  private func noteRefused(_ refused: [RefusedRecord]) async throws {
    logger.warning(
      "the commerce service has refused records",
      metadata: [
        "records": "\(refused.count)", "first": "\(refused.first?.id ?? "")",
        "code": "\(refused.first?.code ?? "")", "reason": "\(refused.first?.reason ?? "")",
      ])
    try await refreshTotals()
    updateAlerts()
  }

  private func damaged(_ batch: OutgoingBatch) -> StoreError {
    StoreError(
      .system,
      "batch \(batch.id) in the outbox cannot be read; have its window \(batch.window) sent again")
  }
}
