internal import StackmeterCore

/// The units of meters in the words of FOCUS: `GB*hours` is `GB-Hours`. Another name for the same, never another size;
/// what is not known stays as it is.
enum FocusUnit {
  static func text(_ unit: String) -> String {
    let words = unit.utf8.allSatisfy { $0 == 0x20 } ? "units" : unit
    return known[words.asciiLowercased] ?? unit
  }

  /// Packages that count when begun: `10000 Requests`. FOCUS has a size in front of words only, and of no compound: ten
  /// `Core-Hours` are `10 Core Hours`. What is no whole number of units are `Packages`: the price says of what.
  static func text(_ package: Quantity, _ unit: String) -> String {
    let unit = text(unit)
    if package == Quantity(1) { return unit }
    guard var count = Int128(package.description) else { return "Packages" }
    var words = unit.split(separator: " ", maxSplits: 1)
    if words.count == 2, let size = Int128(words[0]) {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow else { return "Packages" }
      count = product
      words.removeFirst()
    }
    return "\(count) \(words.joined(separator: " ").replacing("-", with: " "))"
  }

  private static let known: [String: String] = [
    "units": "Units", "hours": "Hours", "(hours)": "Hours", "1 hour": "Hours", "days": "Days",
    "months": "Months", "seconds": "Seconds",
    "core*hours": "Core-Hours", "virtual core hours": "Core-Hours", "core-hours": "Core-Hours",
    "core-seconds": "Core-Seconds", "vm hours": "VM-Hours", "vm*hours": "VM-Hours",
    "bytes": "B", "gb": "GB", "egress in gb": "GB", "ingress data in gb": "GB",
    "byte*hours": "B-Hours", "mb*hours": "MB-Hours", "gb*hours": "GB-Hours",
    "gb*month": "GB-Months", "gb-s": "GB-Seconds", "tb*hours": "TB-Hours",
    "gib*hours": "GiB-Hours", "tib*hours": "TiB-Hours",
    "count of disks*month": "Disk-Months", "count of disks*hours": "Disk-Hours",
    "ip address": "IP Addresses", "ip addresses": "IP Addresses", "requests": "Requests",
    "10 requests": "10 Requests", "request count in 10,000s": "10000 Requests",
    "requests count in 10,000s": "10000 Requests", "10k transactions": "10000 Transactions",
  ]
}
