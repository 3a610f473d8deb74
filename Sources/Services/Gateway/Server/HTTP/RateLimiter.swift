internal import HTTPTypes
internal import StackmeterCore
internal import Synchronization

/// How many requests of a kind one caller may send.
package struct RateLimit: Hashable, Sendable {
  /// In a window; 0 for any number.
  package var requests: Int
  package static let windowSeconds = 60

  package init(requests: Int) {
    self.requests = requests
  }
}

/// Counts the requests of each caller: a bucket of tokens for each kind of request, which fills up again over a window.
final class RateLimiter: Sendable {
  enum Kind: String, Sendable {
    case query, ingest
  }

  /// How a caller stands after a request.
  struct Standing: Hashable, Sendable {
    let kind: Kind
    let limit: RateLimit
    let isAllowed: Bool
    /// Requests that may be sent at once.
    let remaining: Int
    /// Until the bucket is full again; where the request was refused, until the next one is taken.
    let seconds: Int

    /// The fields of `draft-ietf-httpapi-ratelimit-headers-10`, and for Azure's clients the one that they know.
    func addHeaders(_ headers: inout HTTPFields, on surface: Surface) {
      headers[.rateLimitPolicy] =
        "\"\(kind.rawValue)\";q=\(limit.requests);w=\(RateLimit.windowSeconds)"
      headers[.rateLimit] = "\"\(kind.rawValue)\";r=\(remaining);t=\(seconds)"
      if surface == .azure { headers[.remainingSubscriptionReads] = "\(remaining)" }
    }
  }

  /// So many callers are remembered; those whose buckets are full need not be.
  static let callersMax = 10_000

  private struct Key: Hashable {
    let kind: Kind
    let caller: String
  }

  private let limits: [Kind: RateLimit]
  private let clock: any HostClock
  /// When each bucket will be full again, in nanoseconds of the clock: what is empty of it is that time, in parts of
  /// one request's. So nothing is rounded, however slowly it fills.
  private let fullTimes = Mutex<[Key: Int64]>([:])

  init(query: RateLimit, ingest: RateLimit, clock: any HostClock) {
    limits = [.query: query, .ingest: ingest]
    self.clock = clock
  }

  /// Counts a request; nil where there is no limit.
  func take(_ kind: Kind, of caller: String) -> Standing? {
    guard let limit = limits[kind], limit.requests > 0 else { return nil }
    let now = RateLimiter.nanoseconds(clock.elapsed())
    let part = Int64(RateLimit.windowSeconds) * 1_000_000_000 / Int64(limit.requests)
    let whole = part * Int64(limit.requests)
    return fullTimes.withLock { fullTimes in
      let key = Key(kind: kind, caller: caller)
      if fullTimes[key] == nil, fullTimes.count >= RateLimiter.callersMax {
        // Forgets callers whose buckets are full, or all of them where none is.
        fullTimes = fullTimes.filter { $0.value > now }
        if fullTimes.count >= RateLimiter.callersMax { fullTimes = [:] }
      }
      let before = max(fullTimes[key] ?? now, now)
      let isAllowed = before + part - now <= whole
      let full = isAllowed ? before + part : before
      fullTimes[key] = full
      let wait = isAllowed ? full - now : full + part - whole - now
      return Standing(
        kind: kind, limit: limit, isAllowed: isAllowed,
        remaining: Int((whole - (full - now)) / part),
        // Rounded up, so that who waits so long is not refused again.
        seconds: Int((wait + 999_999_999) / 1_000_000_000))
    }
  }

  private static func nanoseconds(_ duration: Duration) -> Int64 {
    duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000
  }
}

extension HTTPField.Name {
  static let rateLimit = HTTPField.Name("RateLimit")!
  fileprivate static let remainingSubscriptionReads = HTTPField.Name(
    "x-ms-ratelimit-remaining-subscription-reads")!
  static let rateLimitPolicy = HTTPField.Name("RateLimit-Policy")!
}
