/// Where everything of one Stackmeter is, and what may be tuned: the same for all its processes.
///
/// Relative paths are relative to the working directory.
package struct Settings: Hashable, Sendable {
  /// Holds the Unix sockets. Its path is short: a socket's path has at most 107 bytes.
  package var runDirectory: String
  /// Holds what must survive: the journal, the dedup index, the quarantine, the usage database, the agent's counters.
  package var stateDirectory: String
  /// The meter catalog, see `deploy/config/meters.json`.
  package var meterCatalog: String
  /// The directory of subscriptions, see `deploy/config/subscriptions.json`. May be missing.
  package var subscriptions: String
  /// Usage older than this is quarantined. Deduplication is exact within it.
  package var latenessLimitDays: Int
  /// Ingest is refused when the journal's disk has less than this free.
  package var diskReserveMebibytes: Int
  package var quarantineMebibytesMax: Int
  /// What the collector's dedup index may take in memory: 24 bytes for each event.
  package var dedupMebibytesMax: Int
  /// How long a record stays in the journal at least; 0 for ever.
  package var journalRetentionDays: Int
  /// The size of one file of the journal.
  package var journalSegmentMebibytes: Int
  /// The name of the part of the installation that this collector and its journal are.
  package var cell: String
  /// How many whole months of closed windows the usage database keeps in front of the current one; 0 for all.
  package var usageRetentionMonths: Int
  /// How often the aggregator compares its database with the journal; 0 for never.
  package var auditIntervalSeconds: Int
  /// The PostgreSQL database of the usage aggregates, as a connection string of libpq; empty for SQLite in the state
  /// directory. It may hold a password, so it is in no message.
  package var storePostgreSQL: String
  /// The name of the rate card that usage is priced by.
  package var rateCard: String
  /// Who invoices: the operator, by the name that finance knows. Stands on the page of a statement; empty for none.
  package var issuer: String
  /// The budgets, a text file. May be missing.
  package var budgets: String
  /// Names the installation in the events that tell of budgets, as a URI reference.
  package var budgetSource: String
  /// Where alerts are sent to; empty for nowhere.
  package var budgetWebhook: String
  /// A file with the secret that signs them.
  package var budgetSecret: String
  package var gatewayHost: String
  /// 0 for a free port, which the gateway logs.
  package var gatewayPort: Int
  /// The hashed API keys; made by `stackmeter token`.
  package var apiKeys: String
  package var tokens: TokenSettings
  package var gateway: GatewaySettings
  package var bridge: BridgeSettings
  /// What the agent meters for whom, see `deploy/config/agent.json`.
  package var agentMapping: String

  private static let cellBytesMax = 64

  /// Reads all settings; throws all problems.
  package init(_ reader: SettingsReader) throws(SettingsError) {
    var reader = reader
    runDirectory = reader.text("runDirectory", default: "/run/stackmeter")
    stateDirectory = reader.text("stateDirectory", default: "/var/lib/stackmeter")
    meterCatalog = reader.text("meterCatalog", default: "/etc/stackmeter/meters.json")
    subscriptions = reader.text("subscriptions", default: "/etc/stackmeter/subscriptions.json")
    latenessLimitDays = reader.integer("collector.latenessLimitDays", in: 1...366, default: 7)
    diskReserveMebibytes = reader.integer(
      "collector.diskReserveMebibytes", in: 1...1_048_576, default: 256)
    quarantineMebibytesMax = reader.integer(
      "collector.quarantineMebibytesMax", in: 1...1_048_576, default: 256)
    dedupMebibytesMax = reader.integer(
      "collector.dedupMebibytesMax", in: 1...1_048_576, default: 1024)
    journalRetentionDays = reader.integer(
      "collector.journalRetentionDays", in: 0...36_600, default: 0)
    // Deduplication reads back as far as the lateness limit, and usage may be reported up to an hour early.
    if journalRetentionDays > 0 && journalRetentionDays <= latenessLimitDays {
      reader.refuse(
        "collector.journalRetentionDays",
        "must be 0 for ever, or at least a day more than collector.latenessLimitDays, "
          + "which is \(latenessLimitDays)")
    }
    journalSegmentMebibytes = reader.integer(
      "collector.journalSegmentMebibytes", in: 1...1024, default: 64)
    cell = reader.text("cell", default: "local")
    if cell.utf8.count > Settings.cellBytesMax {
      reader.refuse("cell", "must be a text of 1 to \(Settings.cellBytesMax) bytes")
    }
    usageRetentionMonths = reader.integer(
      "aggregator.usageRetentionMonths", in: 0...1200, default: 0)
    auditIntervalSeconds = reader.integer(
      "aggregator.auditIntervalSeconds", in: 0...86_400, default: 60)
    storePostgreSQL = reader.text("store.postgresql", default: "", mayBeEmpty: true)
    rateCard = reader.text("rates.card", default: "standard")
    issuer = reader.text("rates.issuer", default: "", mayBeEmpty: true)
    budgets = reader.text("budgets.file", default: "/etc/stackmeter/budgets.txt")
    budgetSource = reader.text("budgets.source", default: "/stackmeter")
    budgetWebhook = reader.text("budgets.webhook", default: "", mayBeEmpty: true)
    budgetSecret = reader.text("budgets.webhookSecret", default: "", mayBeEmpty: true)
    if !budgetWebhook.isEmpty {
      if let problem = RemoteAddress.problem(of: budgetWebhook) {
        reader.refuse("budgets.webhook", problem)
      }
      if budgetSecret.isEmpty {
        reader.refuse("budgets.webhookSecret", "is needed where budgets.webhook is set")
      }
    }
    gatewayHost = reader.text("gateway.host", default: "127.0.0.1")
    gatewayPort = reader.integer("gateway.port", in: 0...65_535, default: 8420)
    apiKeys = reader.text("gateway.apiKeys", default: "/etc/stackmeter/keys.json")
    tokens = TokenSettings(&reader)
    gateway = GatewaySettings(&reader)
    bridge = BridgeSettings(&reader)
    agentMapping = reader.text("agent.mapping", default: "/etc/stackmeter/agent.json")
    try reader.finish()
  }

  /// The socket of a service: `collector`, `aggregator`, `query`, `bridge`.
  package func socketPath(_ service: String) -> String { "\(runDirectory)/\(service).sock" }

  package var journalDirectory: String { "\(stateDirectory)/journal" }
  package var quarantineDirectory: String { "\(stateDirectory)/quarantine" }
  package var dedupDirectory: String { "\(stateDirectory)/dedup" }
  package var usageDatabase: String { "\(stateDirectory)/usage.sqlite" }
  package var queryKey: String { "\(stateDirectory)/query.key" }
  package var auditDirectory: String { "\(stateDirectory)/audit" }
  package var bridgeDirectory: String { "\(stateDirectory)/bridge" }
  package var agentState: String { "\(stateDirectory)/agent.json" }
}
