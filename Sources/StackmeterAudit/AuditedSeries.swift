internal import Crypto
internal import StackmeterCore
internal import StackmeterStore

/// The numbers that series must have: each subscription and each series counts up from 1 when the journal first counts
/// something for it. Takes about 60 bytes for each series.
struct AuditedSeries {
  struct Numbered {
    let number: Int64
    let firstPosition: UInt64
  }

  private var byDigest: [Digest: Numbered] = [:]
  private var subscriptions: [ExactText: Int64] = [:]
  private var lastOfSubscription: [Int64: Int64] = [:]
  private var lastSubscription: Int64 = 0
  private let seriesMax: Int64

  /// 16 bytes of SHA-256 stand for the texts.
  private struct Digest: Hashable {
    let high: UInt64
    let low: UInt64

    init(_ series: Series) {
      var digest = SHA256()
      for text in series.texts {
        withUnsafeBytes(of: UInt32(text.utf8.count)) { digest.update(bufferPointer: $0) }
        digest.update(data: Array(text.utf8))
      }
      (high, low) = digest.finalize().withUnsafeBytes {
        ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      }
    }
  }

  /// `seriesMax` is how many series a subscription may have.
  init(seriesMax: Int64) {
    self.seriesMax = seriesMax
  }

  var count: Int { byDigest.count }

  /// Takes over a series that was numbered by what the journal no longer has.
  mutating func adopt(_ stored: StoredSeries) {
    let subscription = stored.number >> SeriesNumbers.bitsWithinSubscription
    subscriptions[ExactText(stored.series.subscription)] = subscription
    lastSubscription = max(lastSubscription, subscription)
    let own = stored.number & SeriesNumbers.seriesMax
    lastOfSubscription[subscription] = max(lastOfSubscription[subscription] ?? 0, own)
    byDigest[Digest(stored.series)] = Numbered(
      number: stored.number, firstPosition: stored.firstPosition)
  }

  func find(_ series: Series) -> Numbered? { byDigest[Digest(series)] }

  /// The number of a series, and whether it is a new one; nil where its subscription has none left.
  mutating func number(
    _ series: Series, firstPosition: UInt64
  ) -> (number: Int64, isNew: Bool)? {
    let digest = Digest(series)
    if let known = byDigest[digest] { return (known.number, false) }
    let name = ExactText(series.subscription)
    let subscription = subscriptions[name] ?? lastSubscription + 1
    subscriptions[name] = subscription
    lastSubscription = max(lastSubscription, subscription)
    let own = (lastOfSubscription[subscription] ?? 0) + 1
    guard own <= seriesMax else { return nil }
    lastOfSubscription[subscription] = own
    let number = subscription << SeriesNumbers.bitsWithinSubscription | own
    byDigest[digest] = Numbered(number: number, firstPosition: firstPosition)
    return (number, true)
  }
}

extension Series {
  /// In the order of every digest.
  var texts: [String] {
    [
      subscription, meter, resource.uri, resource.location, resource.tags,
      resource.additionalInfo,
    ]
  }
}
