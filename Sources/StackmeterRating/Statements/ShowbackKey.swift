internal import StackmeterCore

/// By what the cost of a period is shown: something that usage says, or something that statements say of their
/// subscriptions.
package enum ShowbackKey: Hashable, Sendable {
  case usage(CostBreakdown.Key)
  case statement(StatementGrouping)

  /// How keys are written; those of tags have a name behind them.
  package static let words = [
    "resourceGroup", "resource", "location", "meter", "day", "tag:NAME", "subscription",
    "costCenter", "department", "owner", "subscriptionTag:NAME",
  ]

  /// Reads `resourceGroup` or `tag:department`, the word in any case; nil for all else.
  package init?(parsing text: String) {
    let colon = text.firstIndex(of: ":")
    let tag = colon.map { String(text[text.index(after: $0)...]) }
    switch (String(text[..<(colon ?? text.endIndex)]).asciiLowercased, tag) {
    case ("tag", let tag?) where !tag.isEmpty: self = .usage(.tag(tag))
    case ("subscriptiontag", let tag?) where !tag.isEmpty: self = .statement(.tag(tag))
    case ("resourcegroup", nil): self = .usage(.resourceGroup)
    case ("resource", nil): self = .usage(.resource)
    case ("location", nil): self = .usage(.location)
    case ("meter", nil): self = .usage(.meter)
    case ("day", nil): self = .usage(.day)
    case ("subscription", nil): self = .statement(.subscription)
    case ("costcenter", nil): self = .statement(.costCenter)
    case ("department", nil): self = .statement(.tag("department"))
    case ("owner", nil): self = .statement(.owner)
    default: return nil
    }
  }
}
