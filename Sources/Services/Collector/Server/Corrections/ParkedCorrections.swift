internal import StackmeterCore

/// The corrections that wait for what they correct, by the identity that they wait for.
struct ParkedCorrections {
  struct Entry {
    let position: UInt64
    let event: UsageEvent
  }

  /// By target, and by position.
  private var waiting: [EventIdentity: [UInt64: Entry]] = [:]
  private var targets: [UInt64: EventIdentity] = [:]
  private var hours: [Hour: Int] = [:]
  /// What the entries take, as `EventBatch.byteCount` counts it.
  private(set) var byteCount = 0

  var count: Int { targets.count }

  /// What is waited for, in the order of the corrections that wait longest.
  var awaited: [EventIdentity] {
    waiting.sorted { $0.value.keys.min()! < $1.value.keys.min()! }.map(\.key)
  }

  /// All that wait, the first reported first.
  var entries: [Entry] {
    waiting.values.flatMap(\.values).sorted { $0.position < $1.position }
  }

  func hasRoom(for event: UsageEvent) -> Bool {
    count < EventLimits.parkedMax
      && byteCount + EventBatch(event).byteCount <= EventLimits.parkedBytesMax
  }

  /// Whether anything waits for an event of this usage hour.
  func awaits(_ hour: Hour) -> Bool { hours[hour] != nil }

  func awaits(_ target: EventIdentity) -> Bool { waiting[target] != nil }

  /// The correction that is parked at a position.
  func event(at position: UInt64) -> UsageEvent? {
    targets[position].flatMap { waiting[$0]?[position]?.event }
  }

  /// `event` is a correction; nothing but the same is parked at its position.
  mutating func park(_ event: UsageEvent, at position: UInt64) {
    guard targets[position] == nil else { return }
    guard let target = event.targetIdentity else { preconditionFailure("only corrections wait") }
    waiting[target, default: [:]][position] = Entry(position: position, event: event)
    targets[position] = target
    hours[target.hour, default: 0] += 1
    byteCount += EventBatch(event).byteCount
  }

  mutating func remove(at position: UInt64) {
    guard let target = targets.removeValue(forKey: position),
      let entry = waiting[target]?.removeValue(forKey: position)
    else { return }
    if waiting[target]?.isEmpty == true { waiting[target] = nil }
    let left = hours[target.hour, default: 0] - 1
    hours[target.hour] = left == 0 ? nil : left
    byteCount -= EventBatch(entry.event).byteCount
  }

  /// Removes the correction of this identity that waits for `target`, if it does.
  mutating func remove(_ identity: EventIdentity, waitingFor target: EventIdentity) {
    guard let entry = waiting[target]?.values.first(where: { $0.event.identity == identity })
    else { return }
    remove(at: entry.position)
  }

  /// Removes and gives all that waits for one event, the first reported first.
  mutating func remove(waitingFor target: EventIdentity) -> [Entry] {
    let entries = waiting[target, default: [:]].values.sorted { $0.position < $1.position }
    for entry in entries { remove(at: entry.position) }
    return entries
  }

  /// Removes and gives all of usage hours that start before `limit`, the first reported first.
  mutating func remove(before limit: Instant) -> [Entry] {
    guard hours.keys.contains(where: { $0.start < limit }) else { return [] }
    return waiting.keys.filter { $0.hour.start < limit }
      .flatMap { remove(waitingFor: $0) }
      .sorted { $0.position < $1.position }
  }
}
