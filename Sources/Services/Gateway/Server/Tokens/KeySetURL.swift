internal import Logging
internal import StackmeterCore
internal import Synchronization

/// The keys of a JSON Web Key Set behind a URL, asked for when a token names a key that is not known, and now and then.
///
/// However many tokens name unknown keys, one question is under way at a time, and the next one comes 30 s later. A
/// question that fails leaves the last good keys in force; after 24 hours without a good answer none is.
final class KeySetURL: KeySource {
  private struct State {
    var keys: VerificationKeys?
    /// When the last good answer was asked for.
    var fetched: Instant?
    /// When the last question was asked, answered or not.
    var asked: Instant?
    /// The question that is under way.
    var question: Task<Void, Never>?
  }

  private let place: String
  private let clock: any WallClock
  private let logger: Logger
  private let download: @Sendable () async throws(VerificationKeysError) -> [UInt8]
  private let state = Mutex(State())

  /// `place` names the URL in logs.
  init(
    place: String, clock: any WallClock, logger: Logger,
    download: @escaping @Sendable () async throws(VerificationKeysError) -> [UInt8]
  ) {
    self.place = place
    self.clock = clock
    self.logger = logger
    self.download = download
  }

  func key(_ id: String) async throws(TokenRefusal) -> VerificationKey? {
    if let key = try known(id) { return key }
    // Where none may be asked now, one that was under way may have ended meanwhile.
    await ask(notBefore: TokenLimits.downloadInterval)?.value
    return try known(id)
  }

  /// Asks at once and every five minutes, so that a key that the set has dropped is refused; sooner where there was no
  /// good answer. Until cancelled.
  func refresh() async {
    while !Task.isCancelled {
      await ask(notBefore: .zero)?.value
      let isGood = state.withLock { $0.asked == $0.fetched }
      try? await Task.sleep(
        for: isGood ? TokenLimits.refreshInterval : TokenLimits.downloadInterval)
    }
  }

  /// The key among those that are known; nil also before the first good answer.
  private func known(_ id: String) throws(TokenRefusal) -> VerificationKey? {
    let now = clock.now()
    let (key, isStale) = state.withLock { state -> (VerificationKey?, Bool) in
      let isStale = state.fetched.map { now - $0 > TokenLimits.staleMax } ?? false
      return (isStale ? nil : state.keys?[id], isStale)
    }
    // A new question may help; without one nothing is verified.
    if isStale, ask(notBefore: TokenLimits.downloadInterval) == nil { throw .keysAreStale }
    return key
  }

  /// The question under way, or a new one; nil where the last one is too short a time ago.
  private func ask(notBefore interval: Duration) -> Task<Void, Never>? {
    let now = clock.now()
    return state.withLock { state in
      if let question = state.question { return question }
      if let asked = state.asked, now >= asked, now - asked < interval { return nil }
      state.asked = now
      // Not a child of the request that asks: others wait for it too.
      let question = Task { [self] in await fetch(now) }
      state.question = question
      return question
    }
  }

  private func fetch(_ asked: Instant) async {
    let answer: Result<VerificationKeys, VerificationKeysError>
    do throws(VerificationKeysError) {
      answer = .success(try VerificationKeys(json: try await download()))
    } catch {
      answer = .failure(error)
    }
    state.withLock { state in
      state.question = nil
      if case .success(let keys) = answer {
        state.keys = keys
        state.fetched = asked
      }
    }
    switch answer {
    case .success(let keys): logger.tell(keys, of: place)
    case .failure(let error):
      logger.error(
        "the key set cannot be read; the last good one stays in force for up to 24 hours",
        metadata: ["place": "\(place)", "error": "\(error)"])
    }
  }
}
