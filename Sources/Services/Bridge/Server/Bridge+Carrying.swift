internal import StackmeterCommerce
internal import StackmeterCompression
internal import StackmeterCore
internal import StackmeterStore

/// The model `disconnected`: batches become signed files, and what the commerce service has answered comes back.
extension Bridge {
  /// Writes the next batches, or waits until there are some. Killed between a file and the note of it, it writes the
  /// same file again.
  func carry(_ registration: BridgeRegistration, _ outbox: Outbox) async throws {
    let batches = try await outbox.pending(BridgeLimits.batchesInFlightMax)
    guard !batches.isEmpty else { return await sending.wait() }
    for batch in batches {
      try CarriedFile(batch, key: registration.key).write(to: registration.directory)
      try await outbox.markSent(batch)
      attempts += 1
    }
    machine.succeeded()
  }

  /// Takes what the service has answered; returns how many records it was about, 0 where that is settled already.
  func importReceipt(
    _ receipt: [UInt8], _ registration: BridgeRegistration, _ outbox: Outbox
  ) async throws(BridgeError) -> Int {
    guard let receipt = CarriedReceipt(receipt),
      let answer = CommerceAnswer(parsing: receipt.answer.body)
    else {
      throw .invalid(field: "receipt", problem: "is no whole answer to a batch")
    }
    guard
      CommerceSignature.isValid(
        receipt.signature, .receipt, batch: answer.batch, receipt.answer.body,
        key: registration.key)
    else {
      throw .invalid(field: "receipt", problem: "is not signed with this registration's key")
    }
    guard
      let batch = try await storing({ () throws(StoreError) in
        try await outbox.batch(id: answer.batch)
      })
    else { return 0 }
    let verdict: Verdict
    do {
      verdict = try await settle(
        batch, Verdict(receipt.answer, to: batch, at: clock.now()), outbox)
    } catch {
      throw .storage("\(error)")
    }
    switch verdict {
    case .settled, .divided: return batch.records
    case .again(let problem, _), .unregistered(let problem):
      throw .invalid(field: "receipt", problem: problem)
    }
  }
}

/// A batch as a file: the signature, a line feed, and the body as it would be sent.
struct CarriedFile {
  let name: String
  let content: [UInt8]

  init(_ batch: OutgoingBatch, key: String) throws {
    let text = try GzipDecoder.decode(
      batch.body, GzipLimits(outputBytesMax: CommerceBatch.receivedBytesMax, ratioMax: 1000))
    let signature = CommerceSignature.text(.usage, batch: batch.id, text, key: key)
    name = "usage-\(batch.window.digits)-\(batch.id).json.gz"
    content = Array("\(signature)\n".utf8) + batch.body
  }

  /// Appears whole or not at all.
  func write(to directory: String) throws {
    try FileReplacement.write(content, to: "\(directory)/\(name)", mode: 0o640)
  }
}

/// What a commerce service has answered to a carried file, as `curl -i` writes it.
struct CarriedReceipt {
  let answer: HTTPAnswer
  let signature: String

  init?(_ content: [UInt8]) {
    let separators = [Array("\r\n\r\n".utf8), Array("\n\n".utf8)]
    // Answers such as `100 Continue` may stand before it.
    var rest = content[...]
    while true {
      guard
        let (end, length) = separators.compactMap({ separator in
          rest.indices.first { rest[$0...].starts(with: separator) }.map { ($0, separator.count) }
        }).min(by: { $0.0 < $1.0 })
      else { return nil }
      let lines = String(decoding: rest[..<end], as: UTF8.self).split {
        $0 == "\n" || $0 == "\r\n"
      }
      let words = lines.first?.split(separator: " ") ?? []
      guard words.count >= 2, words[0].hasPrefix("HTTP/"), let status = Int(words[1]) else {
        return nil
      }
      rest = rest[(end + length)...]
      if status < 200 { continue }
      let name = CommerceSignature.header.asciiLowercased + ":"
      guard
        let field = lines.first(where: { String($0).asciiLowercased.hasPrefix(name) })
      else { return nil }
      signature = String(field.dropFirst(name.count).drop { $0 == " " })
      answer = HTTPAnswer(status: status, body: Array(rest))
      return
    }
  }
}
