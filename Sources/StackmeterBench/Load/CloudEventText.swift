internal import StackmeterCore

/// Writes batches of CloudEvents from what is known beforehand, so that writing costs the load little.
struct CloudEventText {
  /// What stands between an event's id and its quantity, and after that up to its times, for each series.
  private let beforeQuantity: [Series: [UInt8]]
  private let afterQuantity: [Series: [UInt8]]
  private var hours: [Int64: [UInt8]] = [:]

  init(_ workload: Workload) {
    var before: [Series: [UInt8]] = [:]
    var after: [Series: [UInt8]] = [:]
    for series in workload.series {
      before[series] = Array(
        (#"","source":"\#(Workload.source)","subject":"\#(series.subscription)","#
          + #""data":{"meter":"\#(series.meter)","quantity":"#).utf8)
      let resource = series.resource
      after[series] = Array(
        (#","resourceUri":"\#(resource.uri)","location":"\#(resource.location)","#
          + #""tags":\#(resource.tags),"startTime":""#).utf8)
    }
    beforeQuantity = before
    afterQuantity = after
  }

  /// The events of a batch as a JSON array.
  mutating func array(_ batch: EventBatch) -> [UInt8] {
    let before = batch.series.map { beforeQuantity[$0] ?? [] }
    let after = batch.series.map { afterQuantity[$0] ?? [] }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(batch.count * 512)
    for index in 0..<batch.count {
      let series = Int(batch.seriesIndex[index])
      bytes.append(contentsOf: index == 0 ? "[".utf8 : ",".utf8)
      bytes.append(
        contentsOf: #"{"specversion":"1.0","type":"stackmeter.usage.v1","id":""#.utf8)
      bytes.append(contentsOf: batch.ids[batch.idRange(index)])
      bytes.append(contentsOf: before[series])
      appendQuantity(batch.attos[index], &bytes)
      bytes.append(contentsOf: after[series])
      appendTime(batch.usageStart[index], &bytes)
      bytes.append(contentsOf: #"","endTime":""#.utf8)
      appendTime(batch.usageEnd[index], &bytes)
      bytes.append(contentsOf: #""}}"#.utf8)
    }
    bytes.append(UInt8(ascii: "]"))
    return bytes
  }

  /// A quantity of the workload has nine digits after its point.
  private func appendQuantity(_ attos: Int128, _ bytes: inout [UInt8]) {
    let billionths = UInt64(attos / 1_000_000_000)
    bytes.append(contentsOf: String(billionths / 1_000_000_000).utf8)
    bytes.append(UInt8(ascii: "."))
    appendDigits(billionths % 1_000_000_000, 9, &bytes)
  }

  private mutating func appendTime(_ nanoseconds: Int64, _ bytes: inout [UInt8]) {
    let seconds = nanoseconds / Instant.nanosecondsPerSecond
    let hour = seconds / 3600
    let known = hours[hour] ?? Array("\(Hour(index: hour).start)".utf8.prefix(14))
    hours[hour] = known
    bytes.append(contentsOf: known)
    appendDigits(UInt64(seconds % 3600 / 60), 2, &bytes)
    bytes.append(UInt8(ascii: ":"))
    appendDigits(UInt64(seconds % 60), 2, &bytes)
    bytes.append(UInt8(ascii: "Z"))
  }

  private func appendDigits(_ value: UInt64, _ count: Int, _ bytes: inout [UInt8]) {
    var divisor: UInt64 = 1
    for _ in 1..<count { divisor *= 10 }
    while divisor > 0 {
      bytes.append(48 + UInt8(value / divisor % 10))
      divisor /= 10
    }
  }
}
