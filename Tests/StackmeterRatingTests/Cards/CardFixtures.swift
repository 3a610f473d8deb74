import StackmeterCore

@testable import StackmeterRating

/// A card with each thing that a card can say.
let fullCard = """
  # Prices of the private cloud.
  card standard
  version 3
  effective 2026-12-01
  currency EUR
  rounding half-even
  tax "without \\"VAT\\""      # stands on each statement

  group internal
    subscription 6F1C0A8E-0000-4000-8000-000000000001
    cost-center "1000 A"
    owner ops@example.org
    tag environment test
    discount 20%
    commitment 1000.00 discount 15%

  meter compute-hours
    name "Base VM Size Hours"
    unit "Virtual core hours"
    billing-meter fb8c0713-ea20-40bf-901f-5560fd3f6330
    rate
      price 0.008
    rate for internal
      price 0.006
      discount 10%
    rate in "region west"
      price 0.010
      minimum 5.00
    rate for internal in "region west"
      price 0

  meter transactions
    rate
      graduated per 10000
        up-to 1000000 0.0036
        up-to 10000000 0.003
        beyond 0.0025
      included 50000
    rate in east
      volume per started 100
        up-to 1000 2
        beyond 1.5
      included 100 before-tiers
  """

func card(_ text: String) throws -> RateCard {
  try RateCard(parsing: Array(text.utf8))
}

/// A card in EUR from November 2026 on, of these lines.
func smallCard(
  _ lines: String, version: Int = 1, effective: String = "2026-11-01", currency: String = "EUR"
) throws -> RateCard {
  try card(
    "card test\nversion \(version)\neffective \(effective)\ncurrency \(currency)\n" + lines)
}

/// The problems of a text, each as `line:column: message`.
func problems(_ text: String) -> [String] {
  do {
    _ = try RateCard(parsing: Array(text.utf8))
    return []
  } catch { return error.problems.map(\.description) }
}
