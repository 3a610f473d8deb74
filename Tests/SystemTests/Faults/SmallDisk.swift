import Glibc
import StackmeterRuntime
import StackmeterTesting
import Testing

/// A file system in memory, in a mount namespace of its own, with a service on it: what it sees as its state directory.
///
/// Needs `unshare` and root, or a host that gives namespaces to users.
final class SmallDisk {
  private let process: ChildProcess
  private let filler: String
  private let cluster: Cluster
  private var others: [ChildProcess] = []

  init(_ cluster: Cluster, _ service: String, mebibytes: Int) async throws {
    self.cluster = cluster
    let state = cluster.settings.stateDirectory
    guard mkdir(state, 0o750) == 0 || errno == EEXIST else {
      throw ClusterError("cannot make \(state)")
    }
    let inNamespace = getuid() == 0 ? ["--mount"] : ["--mount", "--map-root-user"]
    let log = open(
      "\(cluster.directory)/small.log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(log) }
    process = try ChildProcess(
      "/usr/bin/unshare",
      inNamespace + [
        "sh", "-c",
        "mount -t tmpfs -o size=\(mebibytes)m tmpfs \"$0\" && exec \"$1\"", state,
        "\(Cluster.programs)/stackmeter-\(service)",
      ], environment: cluster.environmentOfServices(), standardOutput: .descriptor(log),
      standardError: .descriptor(log))
    // What the service sees as its state directory, seen from outside.
    filler = "/proc/\(process.pid)/root\(state)/filler"
    let process = process
    let serves = try await eventually {
      guard process.exitStatus == nil else { return false }
      return (try? RawConnection(cluster.settings.socketPath(service))) != nil ? true : nil
    }
    guard serves else {
      let said = try fileContent("\(cluster.directory)/small.log")
      throw ClusterError(
        "no \(service) on a disk of its own: \(String(decoding: said, as: UTF8.self))")
    }
  }

  /// Takes all but about `leaving` bytes.
  func fill(leaving: Int) throws {
    let descriptor = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(descriptor) }
    var status = statvfs()
    guard descriptor >= 0, fstatvfs(descriptor, &status) == 0 else {
      throw ClusterError("cannot fill the disk: \(errno)")
    }
    let free = Int(status.f_bavail) * Int(status.f_frsize)
    guard free > leaving else { return }
    guard posix_fallocate(descriptor, 0, off_t(free - leaving)) == 0 else {
      throw ClusterError("cannot fill the disk")
    }
  }

  func free() throws {
    guard unlink(filler) == 0 else { throw ClusterError("cannot free the disk: \(errno)") }
  }

  /// Runs one more service that sees this disk as its state directory.
  func run(_ service: String) throws {
    let log = open(
      "\(cluster.directory)/\(service).log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    defer { close(log) }
    others.append(
      try ChildProcess(
        "/usr/bin/nsenter",
        ["--mount=/proc/\(process.pid)/ns/mnt", "\(Cluster.programs)/stackmeter-\(service)"],
        environment: cluster.environmentOfServices(), standardOutput: .descriptor(log),
        standardError: .descriptor(log)))
  }

  /// What the service logged.
  var log: String {
    get throws {
      String(decoding: try fileContent("\(cluster.directory)/small.log"), as: UTF8.self)
    }
  }

  func stop() async throws {
    for process in others + [process] {
      process.signal(SIGTERM)
      #expect(try await process.waitForExit() == .exited(0))
    }
  }
}
