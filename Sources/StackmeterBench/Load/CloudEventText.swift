internal import StackmeterCore

/// Writes batches of CloudEvents from what is known beforehand, so that writing costs the load little.
struct CloudEventText {
  private static let beforeID = Array(
    #",{"specversion":"1.0","type":"stackmeter.usage.v1","id":""#.utf8)
  private static let beforeEnd = Array(#"","endTime":""#.utf8)
  private static let afterEnd = Array(#""}}"#.utf8)

  /// What stands between an event's id and its quantity, and after that up to its times, for each series.
  private let beforeQuantity: [[UInt8]]
  private let afterQuantity: [[UInt8]]
  private var hours: [Int64: [UInt8]] = [:]

  init(_ workload: Workload) {
    beforeQuantity = workload.series.map { series in
      Array(
        (#"","source":"\#(Workload.source)","subject":"\#(series.subscription)","#
          + #""data":{"meter":"\#(series.meter)","quantity":"#).utf8)
    }
    afterQuantity = workload.series.map { series in
      let resource = series.resource
      return Array(
        (#","resourceUri":"\#(resource.uri)","location":"\#(resource.location)","#
          + #""tags":\#(resource.tags),"startTime":""#).utf8)
    }
  }

  /// The events of a batch as a JSON array.
  mutating func array(_ prepared: PreparedBatch) -> [UInt8] {
    let batch = prepared.batch
    var bytes: [UInt8] = []
    bytes.reserveCapacity(batch.count * 640 + 2)
    for index in 0..<batch.count {
      let series = prepared.series[Int(batch.seriesIndex[index])]
      bytes.append(contentsOf: CloudEventText.beforeID)
      bytes.append(contentsOf: batch.ids[batch.idRange(index)])
      bytes.append(contentsOf: beforeQuantity[series])
      appendQuantity(batch.attos[index], &bytes)
      bytes.append(contentsOf: afterQuantity[series])
      appendTime(batch.usageStart[index], &bytes)
      bytes.append(contentsOf: CloudEventText.beforeEnd)
      appendTime(batch.usageEnd[index], &bytes)
      bytes.append(contentsOf: CloudEventText.afterEnd)
    }
    // In place of the comma before the first.
    if bytes.isEmpty { bytes.append(0) }
    bytes[0] = UInt8(ascii: "[")
    bytes.append(UInt8(ascii: "]"))
    return bytes
  }

  /// A quantity of the workload is below ten and has nine digits after its point.
  private func appendQuantity(_ attos: Int128, _ bytes: inout [UInt8]) {
    let billionths = UInt64(attos / 1_000_000_000)
    appendDigits(billionths / 1_000_000_000, 1, &bytes)
    bytes.append(UInt8(ascii: "."))
    appendDigits(billionths % 1_000_000_000, 9, &bytes)
  }

  private mutating func appendTime(_ nanoseconds: Int64, _ bytes: inout [UInt8]) {
    let seconds = nanoseconds / Instant.nanosecondsPerSecond
    let hour = seconds / 3600
    if let known = hours[hour] {
      bytes.append(contentsOf: known)
    } else {
      let known = Array("\(Hour(index: hour).start)".utf8.prefix(14))
      hours[hour] = known
      bytes.append(contentsOf: known)
    }
    appendDigits(UInt64(seconds % 3600 / 60), 2, &bytes)
    bytes.append(UInt8(ascii: ":"))
    appendDigits(UInt64(seconds % 60), 2, &bytes)
    bytes.append(UInt8(ascii: "Z"))
  }

  private func appendDigits(_ value: UInt64, _ count: Int, _ bytes: inout [UInt8]) {
    var rest = value
    let start = bytes.count
    for _ in 0..<count { bytes.append(0) }
    for index in (start..<start + count).reversed() {
      bytes[index] = 48 + UInt8(rest % 10)
      rest /= 10
    }
  }
}
