import StackmeterTesting

/// Makes texts of cards that are right.
enum CardGenerator {
  static func text(using random: inout SeededRandom) -> String {
    var lines = [
      "card c\(Int.random(in: 0...9, using: &random))",
      "version \(Int.random(in: 1...9999, using: &random))", "effective 2026-11-01",
      "currency EUR",
    ]
    let groups = Int.random(in: 0...2, using: &random)
    for index in 0..<groups {
      lines += ["group g\(index)", "subscription s\(index)", "cost-center \"c \(index)\""]
      if Bool.random(using: &random) { lines.append("discount 12.5%") }
      if Bool.random(using: &random) { lines.append("commitment 50 discount 7.25%") }
    }
    for index in 0..<Int.random(in: 1...4, using: &random) {
      lines += ["meter m\(index)", "rate"] + rate(using: &random)
      if groups > 0, Bool.random(using: &random) {
        lines += ["rate for g0"] + rate(using: &random)
      }
      if Bool.random(using: &random) { lines += ["rate in west"] + rate(using: &random) }
    }
    return lines.joined(separator: "\n")
  }

  /// The lines below one rate. Bounds and what is included are multiples of the package.
  static func rate(using random: inout SeededRandom) -> [String] {
    let package = [1, 1, 10, 4].randomElement(using: &random)!
    let started = Bool.random(using: &random) ? "started " : ""
    let per = package == 1 && started.isEmpty ? "" : " per \(started)\(package)"
    var lines: [String] = []
    let form = ["price", "graduated", "volume"].randomElement(using: &random)!
    if form == "price" {
      lines.append("price \(price(using: &random))\(per)")
    } else {
      lines.append(form + per)
      var bound = 0
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bound += package * Int.random(in: 1...12, using: &random)
        lines.append("up-to \(bound) \(price(using: &random))")
      }
      lines.append("beyond \(price(using: &random))")
    }
    if Bool.random(using: &random) {
      let before = form != "price" && Bool.random(using: &random) ? " before-tiers" : ""
      lines.append("included \(package * Int.random(in: 1...9, using: &random))\(before)")
    }
    if Int.random(in: 0..<4, using: &random) == 0 { lines.append("minimum 12.34") }
    if Int.random(in: 0..<4, using: &random) == 0 { lines.append("discount 10%") }
    return lines
  }

  private static func price(using random: inout SeededRandom) -> String {
    let thousandths = Int.random(in: 0...4000, using: &random)
    return "\(thousandths / 1000)." + String(String(1000 + thousandths % 1000).dropFirst())
  }
}
