import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

@Suite struct IntakeOpeningTests {
  /// What both logs have on the disk.
  private func files(_ disk: SimulatedDisk) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for directory in ["/journal", "/quarantine"] {
      for name in try disk.list(directory) {
        files["\(directory)/\(name)"] = try disk.read("\(directory)/\(name)", from: 0, count: .max)
      }
    }
    return files
  }

  /// Some segments of a journal whose end is torn, and refusals in more than one segment.
  private func torn() throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    for number in 0..<120 {
      _ = try intake.report([
        Fixture.event("\(number)"), Fixture.event("\(number)", meter: "disk", quantity: 2),
      ])
    }
    for directory in ["/journal", "/quarantine"] {
      let tail = try #require(try RecordLog.tail(disk, directory))
      let last = try #require(try disk.list(directory).sorted().last)
      try disk.change("\(directory)/\(last)") { $0[tail.segmentBytes + 5] = 1 }
    }
    return disk
  }

  @Test(arguments: ["/journal", "/quarantine"])
  func `damage that only reading finds is refused before anything is changed`(
    directory: String
  ) throws {
    let disk = try torn()
    let names = try disk.list(directory).sorted()
    try #require(names.count > 2)
    try disk.damage("\(directory)/\(names[1])", at: 200, mask: 1)
    // Without the index all of the journal is read.
    for name in try disk.list("/dedup") { try disk.remove("/dedup/\(name)") }
    let before = try files(disk)
    #expect {
      _ = try Fixture.intake(disk)
    } throws: {
      guard case .damaged(let path, _, _)? = $0 as? RecordLogError else { return false }
      return path == "\(directory)/\(names[1])"
    }
    #expect(try files(disk) == before)
    // Once that is restored, the torn ends are cut off.
    try disk.damage("\(directory)/\(names[1])", at: 200, mask: 1)
    let intake = try Fixture.intake(disk)
    #expect(intake.tornBytes > 0 && intake.tail.nextPosition == 121)
    #expect(try files(disk).keys.filter { $0.hasSuffix(".torn") }.count == 2)
  }
}
