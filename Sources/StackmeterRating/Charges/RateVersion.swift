internal import StackmeterCore

/// A version of a card, prepared for rating: its meters by id, and its plans, each made once.
final class RateVersion {
  let card: RateCard
  private let meters: [ExactText: RatedMeter]
  private var plans: [PlanKey: RatePlan] = [:]

  private struct PlanKey: Hashable {
    let meter: String
    let group: String?
    let location: String?
    let discount: Percent
  }

  init(_ card: RateCard) {
    self.card = card
    meters = Dictionary(
      card.meters.map { (ExactText($0.id.asciiLowercased), $0) },
      uniquingKeysWith: { first, _ in first })
  }

  /// By an id in lower case.
  func meter(_ id: String) -> RatedMeter? { meters[ExactText(id)] }

  func group(of subscription: Subscription) -> RateGroup? { card.group(of: subscription) }

  func plan(_ rate: Rate, of meter: RatedMeter, for group: RateGroup?) -> RatePlan {
    let discount = rate.discount(for: group)
    let key = PlanKey(
      meter: meter.id, group: rate.group, location: rate.location, discount: discount)
    if let plan = plans[key] { return plan }
    let plan = RatePlan(rate, of: meter, in: card, discount: discount)
    plans[key] = plan
    return plan
  }
}
