package import CStackmeterProto
package import StackmeterCore

/// `Query.Summarize`: exact totals, each of one meter.
package struct SummarizeRequest: WireMessage, Hashable {
  /// Groups of each meter that may be asked for.
  package static let topMax = 1000

  package var caller: Caller
  package var axis: TimeAxis
  /// Usage hours, or reporting windows by reported time.
  package var hours: Range<Hour>
  package var groupings: [Grouping]
  /// Empty for all that the caller may see.
  package var subscriptions: [String]
  package var meters: [String]
  package var series: SeriesSelection
  /// Only windows before it count; nil for all.
  package var asOf: Hour?
  /// The groups of each meter with the greatest totals, and the sum of all others; 0 for all groups.
  package var top: UInt32

  package init(
    caller: Caller, axis: TimeAxis = .usage, hours: Range<Hour>, groupings: [Grouping],
    subscriptions: [String] = [], meters: [String] = [], series: SeriesSelection = .all,
    asOf: Hour? = nil, top: UInt32 = 0
  ) {
    self.caller = caller
    self.axis = axis
    self.hours = hours
    self.groupings = groupings
    self.subscriptions = subscriptions
    self.meters = meters
    self.series = series
    self.asOf = asOf
    self.top = top
  }

  package init(
    caller: Caller, hours: Range<Hour>, byDay: Bool = false, bySubscription: Bool = false,
    subscriptions: [String] = [], meters: [String] = []
  ) {
    self.init(
      caller: caller, hours: hours,
      groupings: (byDay ? [.day] : []) + (bySubscription ? [.subscription] : []),
      subscriptions: subscriptions, meters: meters)
  }

  package init(wire raw: borrowing Stackmeter__V1__SummarizeRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
    axis = try TimeAxis(wire: raw.axis) ?? .usage
    hours = try StackmeterWire.hours(from: raw.from_hour, to: raw.to_hour, "from_hour", "to_hour")
    groupings = (raw.by_day != 0 ? [.day] : []) + (raw.by_subscription != 0 ? [.subscription] : [])
    groupings += try elements(raw.groupings, raw.n_groupings) { (raw) throws(WireError) in
      try Grouping(wire: raw)
    }
    subscriptions = try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions")
      .map(\.asciiLowercased)
    meters = try filter(raw.meters, raw.n_meters, "meters")
    series = try SeriesSelection(wire: raw.selection)
    asOf = raw.as_of_window == 0 ? nil : try hour(raw.as_of_window, "as_of_window")
    top = raw.top
  }

  package func fill(_ raw: inout Stackmeter__V1__SummarizeRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    // What needs no newer field has none.
    if axis != .usage { raw.axis = axis.wire }
    raw.from_hour = hours.lowerBound.index
    raw.to_hour = hours.upperBound.index
    switch groupings {
    case []: break
    case [.day]: raw.by_day = 1
    case [.subscription]: raw.by_subscription = 1
    case [.day, .subscription]:
      raw.by_day = 1
      raw.by_subscription = 1
    default:
      raw.n_groupings = groupings.count
      raw.groupings = packer.arena.messages(groupings) {
        (grouping, raw: inout Stackmeter__V1__Grouping) in grouping.fill(&raw, packer)
      }
    }
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.n_meters = meters.count
    raw.meters = packer.arena.texts(meters)
    raw.selection = series.wire(packer.arena)
    raw.as_of_window = asOf?.index ?? 0
    raw.top = top
  }
}

extension Grouping {
  init(wire raw: borrowing Stackmeter__V1__Grouping) throws(WireError) {
    switch raw.kind {
    case STACKMETER__V1__GROUPING__KIND__KIND_HOUR: self = .hour
    case STACKMETER__V1__GROUPING__KIND__KIND_DAY: self = .day
    case STACKMETER__V1__GROUPING__KIND__KIND_MONTH: self = .month
    case STACKMETER__V1__GROUPING__KIND__KIND_SUBSCRIPTION: self = .subscription
    case STACKMETER__V1__GROUPING__KIND__KIND_RESOURCE: self = .resource
    case STACKMETER__V1__GROUPING__KIND__KIND_RESOURCE_GROUP: self = .resourceGroup
    case STACKMETER__V1__GROUPING__KIND__KIND_LOCATION: self = .location
    case STACKMETER__V1__GROUPING__KIND__KIND_TAG: self = .tag(text(raw.tag))
    case STACKMETER__V1__GROUPING__KIND__KIND_OWNER: self = .owner
    case STACKMETER__V1__GROUPING__KIND__KIND_COST_CENTER: self = .costCenter
    case STACKMETER__V1__GROUPING__KIND__KIND_SUBSCRIPTION_TAG:
      self = .subscriptionTag(text(raw.tag))
    default: throw .invalidField(field: "groupings", problem: "has one of no known kind")
    }
  }

  func fill(_ raw: inout Stackmeter__V1__Grouping, _ packer: borrowing Packer) {
    switch self {
    case .hour: raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_HOUR
    case .day: raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_DAY
    case .month: raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_MONTH
    case .subscription: raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_SUBSCRIPTION
    case .resource: raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_RESOURCE
    case .resourceGroup: raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_RESOURCE_GROUP
    case .location: raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_LOCATION
    case .tag(let name):
      raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_TAG
      raw.tag = packer.arena.text(name)
    case .owner: raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_OWNER
    case .costCenter: raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_COST_CENTER
    case .subscriptionTag(let name):
      raw.kind = STACKMETER__V1__GROUPING__KIND__KIND_SUBSCRIPTION_TAG
      raw.tag = packer.arena.text(name)
    }
  }
}

/// The totals, in the order of period, groups and meter.
package struct SummarizeResponse: WireMessage, Hashable {
  package static let totalsMax = 10_000
  /// Totals that the top ones are chosen from.
  package static let candidatesMax = 200_000

  package var totals: [UsageTotal]
  /// The sources that usage of the question still waits for.
  package var missing: MissingSources
  /// All windows before it are closed.
  package var openWindow: Hour

  package init(
    totals: [UsageTotal], missing: MissingSources = .none, openWindow: Hour = Hour(index: 0)
  ) {
    self.totals = totals
    self.missing = missing
    self.openWindow = openWindow
  }

  package init(wire raw: borrowing Stackmeter__V1__SummarizeResponse) throws(WireError) {
    missing = MissingSources(wire: raw.missing)
    openWindow = Hour(index: raw.open_window)
    totals = try elements(raw.totals, raw.n_totals) { (raw) throws(WireError) in
      let subscription = text(raw.subscription)
      return UsageTotal(
        period: raw.period_start == 0 ? nil : Hour(index: raw.period_start),
        groups: try elements(raw.groups, raw.n_groups) { (group) throws(WireError) in
          group.absent != 0 ? nil : text(group.value)
        },
        isOthers: raw.others != 0, day: raw.day == 0 ? nil : Day(index: raw.day),
        subscription: subscription.isEmpty ? nil : subscription, meter: text(raw.meter),
        quantity: try Quantity(wire: raw.quantity), isProvisional: raw.provisional != 0,
        isFinal: raw.final != 0)
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__SummarizeResponse, _ packer: borrowing Packer) {
    raw.missing = missing.wire(packer.arena)
    raw.open_window = openWindow.index
    raw.n_totals = totals.count
    raw.totals = packer.arena.messages(totals) {
      (total, raw: inout Stackmeter__V1__UsageTotal) in
      raw.period_start = total.period?.index ?? 0
      raw.n_groups = total.groups.count
      raw.groups = packer.arena.messages(total.groups) {
        (group, raw: inout Stackmeter__V1__GroupValue) in
        raw.value = packer.arena.text(group ?? "")
        raw.absent = group == nil ? 1 : 0
      }
      raw.others = total.isOthers ? 1 : 0
      raw.day = total.day?.index ?? 0
      raw.subscription = packer.arena.text(total.subscription ?? "")
      raw.meter = packer.arena.text(total.meter)
      raw.quantity = total.quantity.wire(packer.arena)
      raw.provisional = total.isProvisional ? 1 : 0
      raw.final = total.isFinal ? 1 : 0
    }
  }
}
