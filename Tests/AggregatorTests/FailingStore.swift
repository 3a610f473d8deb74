import StackmeterCore
import StackmeterStore

/// A store of which one call fails: before it has done anything, or after it has done all.
final class FailingStore: UsageStore {
  private let store: any UsageStore
  private let isDone: Bool
  private var callsLeft: Int
  /// Whether the call has failed.
  private(set) var hasFailed = false

  /// `call` is the number of the call that fails, from 1; `isDone` says whether it has its effect all the same.
  init(_ store: any UsageStore, failing call: Int, isDone: Bool) {
    self.store = store
    self.isDone = isDone
    callsLeft = call
  }

  private func call<Answer>(
    _ body: (any UsageStore) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    callsLeft -= 1
    guard callsLeft == 0 else { return try body(store) }
    hasFailed = true
    if isDone { _ = try body(store) }
    throw StoreError(.system, "a call that fails")
  }

  var cell: String { store.cell }
  func rollback() { store.rollback() }
  func close() { store.close() }
  func position() throws(StoreError) -> PipelinePosition {
    try call { (store) throws(StoreError) in try store.position() }
  }
  func replaceCatalog(_ catalog: MeterCatalog) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.replaceCatalog(catalog) }
  }
  func replaceDirectory(_ directory: SubscriptionDirectory) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.replaceDirectory(directory) }
  }
  func rules() throws(StoreError) -> [MeterRule] {
    try call { (store) throws(StoreError) in try store.rules() }
  }
  func begin() throws(StoreError) {
    try call { (store) throws(StoreError) in try store.begin() }
  }
  func commit(_ position: PipelinePosition) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.commit(position) }
  }
  func put(rules: [MeterRule]) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.put(rules: rules) }
  }
  func intern(_ series: [NewSeries]) throws(StoreError) -> [Int64?] {
    try call { (store) throws(StoreError) in try store.intern(series) }
  }
  func aggregates(of window: Hour, _ keys: [SeriesHour]) throws(StoreError) -> [Quantity?] {
    try call { (store) throws(StoreError) in try store.aggregates(of: window, keys) }
  }
  func put(
    aggregates: [(key: SeriesHour, quantity: Quantity)], of window: Hour
  ) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.put(aggregates: aggregates, of: window) }
  }
  func greatestSamples(
    _ keys: [SeriesHour], of kind: Aggregation
  ) throws(StoreError) -> [Quantity?] {
    try call { (store) throws(StoreError) in try store.greatestSamples(keys, of: kind) }
  }
  func hasSamples(_ values: [SampleValue]) throws(StoreError) -> [Bool] {
    try call { (store) throws(StoreError) in try store.hasSamples(values) }
  }
  func remove(samples: [UsageSample]) throws(StoreError) -> [Bool] {
    try call { (store) throws(StoreError) in try store.remove(samples: samples) }
  }
  func insert(samples: [UsageSample]) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.insert(samples: samples) }
  }
  func keepAside(_ quantities: [UnappliedQuantity]) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.keepAside(quantities) }
  }
  func lastWindowHash() throws(StoreError) -> [UInt8]? {
    try call { (store) throws(StoreError) in try store.lastWindowHash() }
  }
  func rows(
    of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow] {
    try call { (store) throws(StoreError) in try store.rows(of: window, after: key, limit: limit) }
  }
  func put(window: ClosedWindow) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.put(window: window) }
  }
  func sources() throws(StoreError) -> [ReportingSource] {
    try call { (store) throws(StoreError) in try store.sources() }
  }
  func put(sources: [ReportingSource], removing: [String]) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.put(sources: sources, removing: removing) }
  }
  func put(missing: MissingSources, of window: Hour) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.put(missing: missing, of: window) }
  }
  func retain(from window: Hour) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.retain(from: window) }
  }
  func removeAggregates(limit: Int) throws(StoreError) -> Int {
    try call { (store) throws(StoreError) in try store.removeAggregates(limit: limit) }
  }
  func removeSamples(limit: Int) throws(StoreError) -> Int {
    try call { (store) throws(StoreError) in try store.removeSamples(limit: limit) }
  }
  func put(rateCard: StoredRateCard, text: [UInt8]) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.put(rateCard: rateCard, text: text) }
  }
  func lastStatement(of year: Int64) throws(StoreError) -> Int64 {
    try call { (store) throws(StoreError) in try store.lastStatement(of: year) }
  }
  func put(statements: [NewStatement]) throws(StoreError) {
    try call { (store) throws(StoreError) in try store.put(statements: statements) }
  }
  func put(
    budgets: [StoredBudget], of periods: [Day], alerts: [StoredAlert]
  ) throws(StoreError) -> Int {
    try call { (store) throws(StoreError) in
      try store.put(budgets: budgets, of: periods, alerts: alerts)
    }
  }
  func takeAlerts(
    due now: Instant, until lease: Instant, limit: Int
  ) throws(StoreError) -> [StoredAlert] {
    try call { (store) throws(StoreError) in
      try store.takeAlerts(due: now, until: lease, limit: limit)
    }
  }
  func note(
    alert id: String, delivered: Instant?, nextTry: Instant, problem: String
  ) throws(StoreError) {
    try call { (store) throws(StoreError) in
      try store.note(alert: id, delivered: delivered, nextTry: nextTry, problem: problem)
    }
  }
  func put(postings: [Posting]) throws(StoreError) -> [Int64] {
    try call { (store) throws(StoreError) in try store.put(postings: postings) }
  }
}
