package import StackmeterCore

/// Rates the usage of one meter by one subscription in one billing period.
///
/// The cost of a period is a function of how much was used while each version of the card held, and of nothing else:
/// not of the order in which usage is rated, nor of how often rating stops and goes on with what it carried. Each row
/// is charged what it adds to that function.
///
/// All rows are expected first, then it begins, then the same rows are rated, then it settles where the period has
/// ended. It keeps none of them, so that they can be read twice from where they are.
package struct MeterRater {
  /// What one rate counts, in attos.
  private struct Track {
    let location: String
    /// By version of the period; nil where the version has no such rate.
    let plans: [RatePlan?]
    var segments: [Int128]
    /// Of the whole period, with all that is about to be rated.
    var total: Int128
    var minimumCharged: Cost

    /// Where the usage of a version begins on its ladder.
    func start(_ version: Int) -> Int128 { segments[..<version].reduce(0, +) }
  }

  let subscription: String
  /// In lower case.
  let meter: String
  let period: BillingPeriod
  let isAdjustment: Bool
  /// Nothing more is to come: what depends on the whole of the period is charged, and nothing is provisional for that.
  let settles: Bool
  private let versions: [RateVersion]
  private let group: [RateGroup?]
  private let rated: [RatedMeter?]
  private var tracks: [Track] = []
  /// The tracks of the locations that were looked up last: there are few, and rows come from them in turn.
  private var known: [(version: Int, location: String, track: Int)] = []
  private static let knownMax = 16

  /// `versions` are those that hold in the period, the earliest first.
  init(
    _ key: MeterPeriod, subscription: Subscription, versions: [RateVersion],
    carried: MeterState, isAdjustment: Bool, settles: Bool
  ) throws(RatingError) {
    self.subscription = key.subscription
    meter = key.meter
    period = key.period
    self.isAdjustment = isAdjustment
    self.settles = settles
    self.versions = versions
    group = versions.map { version in
      let segments = carried.tracks.lazy.flatMap(\.segments)
      guard let segment = segments.first(where: { $0.version == version.card.version }) else {
        return version.group(of: subscription)
      }
      return segment.group.flatMap { version.card.group($0) }
    }
    rated = versions.map { $0.meter(key.meter) }
    for track in carried.tracks {
      let index = self.track(at: track.location)
      tracks[index].minimumCharged = track.minimumCharged
      for segment in track.segments {
        guard let version = versions.firstIndex(where: { $0.card.version == segment.version })
        else {
          throw .unknownVersion(segment.version, subscription: key.subscription, meter: key.meter)
        }
        tracks[index].segments[version] = segment.quantity.attos
        tracks[index].total += segment.quantity.attos
      }
    }
  }

  /// What is to be carried on.
  package var state: MeterState {
    MeterState(
      tracks: tracks.map { track in
        MeterState.Track(
          location: track.location,
          segments: versions.indices.compactMap { version in
            track.segments[version] == 0
              ? nil
              : MeterState.Segment(
                version: versions[version].card.version, group: group[version]?.name,
                quantity: Quantity(attos: track.segments[version]) ?? .zero)
          }, minimumCharged: track.minimumCharged)
      }.filter { !$0.segments.isEmpty || !$0.minimumCharged.isZero }
        .sorted { $0.location < $1.location })
  }

  // Where a row belongs.

  /// The version that holds on a day, and the track of the rate that it has for a location; nil where it has none.
  private mutating func place(_ row: UsageAggregate) -> (version: Int, track: Int)? {
    let day = row.usageStart.hour.day
    guard let version = versions.lastIndex(where: { $0.card.effective <= day }) else { return nil }
    let location = row.series.resource.location
    for place in known where place.version == version {
      if place.location.hasSameBytes(as: location) { return (version, place.track) }
    }
    guard
      let rate = rated[version]?.rate(group: group[version]?.name, location: location)
    else { return nil }
    let track = track(at: rate.location?.asciiLowercased ?? "")
    if known.count == MeterRater.knownMax { known.removeAll() }
    known.append((version, location, track))
    return (version, track)
  }

  private mutating func track(at location: String) -> Int {
    if let index = tracks.firstIndex(where: { $0.location == location }) { return index }
    let plans = versions.indices.map { version -> RatePlan? in
      guard let meter = rated[version],
        let rate = meter.rate(group: group[version]?.name, location: location),
        (rate.location?.asciiLowercased ?? "") == location
      else { return nil }
      return versions[version].plan(rate, of: meter, for: group[version])
    }
    tracks.append(
      Track(
        location: location, plans: plans, segments: plans.map { _ in 0 }, total: 0,
        minimumCharged: .zero))
    return tracks.count - 1
  }

  // Rating.

  /// Counts a row into the totals of the period, before any row is rated: prices that depend on the total need it.
  package mutating func expect(_ row: UsageAggregate) throws(RatingError) {
    guard let (_, track) = place(row) else { return }
    let (sum, overflow) = tracks[track].total.addingReportingOverflow(row.quantity.attos)
    guard !overflow else { throw tooLarge }
    tracks[track].total = sum
  }

  /// Charges what was charged before and has other prices now, since more is expected.
  package mutating func begin(_ body: (Charge) -> Void) throws(RatingError) {
    for track in tracks {
      guard Quantity(attos: track.total) != nil else { throw tooLarge }
      let before = track.segments.reduce(0, +)
      guard before != track.total else { continue }
      for (version, plan) in track.plans.enumerated() {
        guard let plan, plan.dependsOnTotal, track.segments[version] != 0 else { continue }
        let start = track.start(version)
        let end = start + track.segments[version]
        let old = plan.ladder(total: before)
        let new = plan.ladder(total: track.total)
        guard old != new else { continue }
        var failed = false
        PriceLadder.difference(old, from: start, to: end, new, from: start, to: end) {
          step, piece in
          guard let charge = charge(.repriced, piece, step, plan, nil) else {
            failed = true
            return
          }
          body(charge)
        }
        if failed { throw tooLarge }
      }
    }
  }

  /// Charges a row that was expected.
  package mutating func rate(_ row: UsageAggregate, _ body: (Charge) -> Void) throws(RatingError) {
    guard let (version, index) = place(row), let plan = tracks[index].plans[version] else {
      body(unrated(row))
      return
    }
    let quantity = row.quantity.attos
    let start = tracks[index].start(version) + tracks[index].segments[version]
    guard Quantity(attos: start + quantity) != nil else { throw tooLarge }
    let ladder = plan.ladder(total: tracks[index].total)
    var failed = false
    func emit(
      _ kind: Charge.Kind, _ piece: PriceLadder.Piece, _ step: PriceLadder.Step,
      _ plan: RatePlan
    ) {
      guard let charge = charge(kind, piece, step, plan, row) else {
        failed = true
        return
      }
      body(charge)
    }
    if quantity == 0 {
      emit(.usage, .init(step: 0, consumed: 0, priced: 0), ladder.steps[0], plan)
    }
    ladder.forEachPiece(from: start, to: start + quantity) { piece in
      emit(.usage, piece, ladder.steps[piece.step], plan)
    }
    // Usage of later versions begins further up now.
    var place = start
    for later in version + 1..<versions.count where tracks[index].segments[later] != 0 {
      guard let plan = tracks[index].plans[later] else { continue }
      let ladder = plan.ladder(total: tracks[index].total)
      let end = place + tracks[index].segments[later]
      guard Quantity(attos: end + quantity) != nil else { throw tooLarge }
      PriceLadder.difference(
        ladder, from: place, to: end, ladder, from: place + quantity, to: end + quantity
      ) { step, piece in emit(.retiered, piece, step, plan) }
      place = end
    }
    if failed { throw tooLarge }
    tracks[index].segments[version] += quantity
  }

  /// Ends the period: charges what is missing to its least amount, or gives back what is not missing any more.
  package mutating func settle(_ body: (Charge) -> Void) throws(RatingError) {
    for index in tracks.indices {
      guard let plan = tracks[index].plans.last ?? nil else { continue }
      let cost = try cost(of: tracks[index])
      var missing = Cost.zero
      if let minimum = plan.minimum, tracks[index].total != 0, cost < minimum {
        guard let rest = minimum.subtracting(cost) else { throw tooLarge }
        missing = rest
      }
      guard let change = missing.subtracting(tracks[index].minimumCharged) else { throw tooLarge }
      guard !change.isZero else { continue }
      tracks[index].minimumCharged = missing
      body(
        Charge(
          kind: .minimum, subscription: subscription, meter: plan.reference.meter, period: period,
          isAdjustment: isAdjustment, isProvisional: false, usage: nil, rate: plan.reference,
          tier: 0, quantity: .zero, pricedQuantity: .zero, listPrice: .zero, price: .zero,
          cost: change))
    }
  }

  /// The cost of all that a track has counted.
  private func cost(of track: Track) throws(RatingError) -> Cost {
    var sum: Cost? = .zero
    var start: Int128 = 0
    for (version, plan) in track.plans.enumerated() {
      let end = start + track.segments[version]
      if let ladder = plan?.ladder(total: track.total) {
        ladder.forEachPiece(from: start, to: end) { piece in
          sum = sum.flatMap {
            $0.adding(Cost(attos: ladder.steps[piece.step].price.attos, by: piece.priced))
          }
        }
      }
      start = end
    }
    guard let sum else { throw tooLarge }
    return sum
  }

  private var tooLarge: RatingError { .tooLarge(subscription: subscription, meter: meter) }

  /// Nil where a quantity does not fit.
  private func charge(
    _ kind: Charge.Kind, _ piece: PriceLadder.Piece, _ step: PriceLadder.Step, _ plan: RatePlan,
    _ row: UsageAggregate?
  ) -> Charge? {
    guard let quantity = Quantity(attos: piece.consumed), let priced = Quantity(attos: piece.priced)
    else { return nil }
    return Charge(
      kind: kind, subscription: subscription, meter: plan.reference.meter, period: period,
      isAdjustment: isAdjustment,
      isProvisional: row?.isProvisional ?? false || (plan.dependsOnTotal && !settles), usage: row,
      rate: plan.reference, tier: step.tier, quantity: quantity, pricedQuantity: priced,
      listPrice: step.listPrice, price: step.price, cost: step.price.times(priced))
  }

  private func unrated(_ row: UsageAggregate) -> Charge {
    Charge(
      kind: .unrated, subscription: subscription, meter: row.series.meter, period: period,
      isAdjustment: isAdjustment, isProvisional: row.isProvisional, usage: row, rate: nil, tier: 0,
      quantity: row.quantity, pricedQuantity: .zero, listPrice: .zero, price: .zero, cost: .zero)
  }
}
