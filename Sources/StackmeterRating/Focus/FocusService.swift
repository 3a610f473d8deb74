internal import StackmeterCore

/// What FOCUS calls the service that a meter belongs to: its name, and the category and subcategory that name has.
struct FocusService: Hashable, Sendable {
  let name: String
  let category: String
  let subcategory: String

  /// What is charged for no meter: credits, shares, adjustments, what rounding leaves.
  static let statement = FocusService(
    name: "Statement", category: "Other", subcategory: "Other (Other)")

  /// Services by the category that the catalog gives a meter. One category is always one service, as FOCUS wants it.
  init(category: String) {
    let name = category.utf8.allSatisfy { $0 == 0x20 } ? "Unnamed" : category
    let known = FocusService.known[name.asciiLowercased]
    self.init(
      name: name, category: known?.category ?? "Other",
      subcategory: known?.subcategory ?? "Other (Other)")
  }

  private init(name: String, category: String, subcategory: String) {
    self.name = name
    self.category = category
    self.subcategory = subcategory
  }

  /// Where the services of a private cloud belong. Each category of FOCUS is also known by its own name.
  private static let known: [String: (category: String, subcategory: String)] = {
    var known: [String: (category: String, subcategory: String)] = [
      "virtual machines": ("Compute", "Virtual Machines"),
      "containers": ("Compute", "Containers"),
      "kubernetes": ("Compute", "Containers"),
      "functions": ("Compute", "Serverless Compute"),
      "network": ("Networking", "Other (Networking)"),
      "load balancer": ("Networking", "Application Networking"),
      "vpn gateway": ("Networking", "Network Connectivity"),
      "block storage": ("Storage", "Block Storage"),
      "managed disks": ("Storage", "Block Storage"),
      "object storage": ("Storage", "Object Storage"),
      "file storage": ("Storage", "File Storage"),
      "backup": ("Storage", "Backup Storage"),
      "database": ("Databases", "Other (Databases)"),
      "sql": ("Databases", "Relational Databases"),
      "mysql": ("Databases", "Relational Databases"),
      "postgresql": ("Databases", "Relational Databases"),
      "event hubs": ("Integration", "Messaging"),
      "service bus": ("Integration", "Messaging"),
      "key vault": ("Security", "Secret Management"),
      "app service": ("Web", "Application Platforms"),
      "monitoring": ("Management and Governance", "Observability"),
      "support": ("Management and Governance", "Support"),
    ]
    for category in [
      "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases",
      "Developer Tools", "Multicloud", "Identity", "Integration", "Internet of Things",
      "Management and Governance", "Media", "Migration", "Mobile", "Networking", "Security",
      "Storage", "Web", "Other",
    ] {
      known[category.asciiLowercased] = (category, "Other (\(category))")
    }
    return known
  }()
}
