internal import Glibc
internal import StackmeterCore
internal import StackmeterTesting
internal import Testing

@testable import AgentServer

@Suite struct StorageSamplerTests {
  private let mountinfo = """
    27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
    28 27 254:0 /var/lib /mnt/bind rw - ext4 /dev/vda rw
    29 27 254:16 / /srv/with\\040space rw master:1 propagate_from:2 - xfs /dev/vdb rw
    30 27 7:0 / /snap/x ro - squashfs /dev/loop0 ro
    31 27 0:25 / /run rw - tmpfs tmpfs rw
    32 27 0:44 / /nfs rw - nfs4 server:/export rw

    """

  @Test func `each block device counts once and others where they are named`() {
    let table = MountTable(mountinfo: Array(mountinfo.utf8))
    #expect(table.filesystems(configured: []).map(\.path) == ["/", "/srv/with space"])
    #expect(
      table.filesystems(configured: ["/nfs", "/mnt/bind"]).map(\.path) == [
        "/mnt/bind", "/nfs", "/srv/with space",
      ])
  }

  @Test func `a configured directory is taken out of its filesystem`() throws {
    let kernel = FixtureKernel()
    kernel.setFile("/proc/self/mountinfo", mountinfo)
    kernel.change { contents in
      contents.usedBytes = ["/": 1000, "/srv/with space": 50]
      contents.devices = ["/home/bob": "254:0"]
      contents.allocatedBytes = ["/home/bob": 300]
    }
    var sampler = StorageSampler(
      filesystems: [],
      directories: [
        .init(path: "/home/bob", subscription: "b"), .init(path: "/gone", subscription: "g"),
      ])
    #expect(sampler.walk(kernel).map(\.path) == ["/gone"])
    var state = AgentState(bootID: "b", now: Instant(seconds: 0))
    try sampler.sample(kernel, into: &state)
    let bytes = state.gauges.map { "\($0.key.subject.name) \($0.value)" }.sorted()
    #expect(bytes == ["/ 700", "/home/bob 300", "/srv/with space 50"])
  }

  @Test func `a walk counts each file once and follows no link out of the tree`() async throws {
    try await withTemporaryDirectory { path in
      let kernel = LinuxKernel()
      for name in ["a", "a/b", "out"] { #expect(mkdir("\(path)/\(name)", 0o700) == 0) }
      let empty = try #require(try kernel.allocatedBytes(below: "\(path)/a", excluding: []))
      try writeFile("\(path)/a/file", bytes: 100_000)
      try writeFile("\(path)/out/file", bytes: 500_000)
      let withFile = try #require(try kernel.allocatedBytes(below: "\(path)/a", excluding: []))
      #expect(withFile - empty >= 100_000 && withFile - empty < 140_000)
      #expect(link("\(path)/a/file", "\(path)/a/b/again") == 0)
      #expect(symlink("\(path)/out", "\(path)/a/link") == 0)
      let withLinks = try #require(try kernel.allocatedBytes(below: "\(path)/a", excluding: []))
      #expect(withLinks - withFile < 10_000)
      let excluded: Set = ["\(path)/a/b"]
      let without = try #require(
        try kernel.allocatedBytes(below: "\(path)/a", excluding: excluded))
      #expect(without < withLinks)
      #expect(try kernel.allocatedBytes(below: "\(path)/none", excluding: []) == nil)
    }
  }
}
