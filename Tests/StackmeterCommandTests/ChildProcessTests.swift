internal import Glibc
internal import Testing

@testable import StackmeterRuntime

@Suite(.timeLimit(.minutes(1)))
struct ChildProcessTests {
  @Test
  func `an exit code comes through`() async throws {
    let child = try ChildProcess("/bin/sh", ["-c", "exit 7"])
    #expect(try await child.waitForExit() == .exited(7))
    #expect(child.exitStatus == .exited(7))
  }

  @Test
  func `a signal ends the child and is told apart from an exit code`() async throws {
    let child = try ChildProcess("/bin/sleep", ["1000"])
    #expect(child.exitStatus == nil)
    child.signal(SIGTERM)
    #expect(try await child.waitForExit() == .signalled(SIGTERM))
    // Nothing happens once it is gone.
    child.signal(SIGKILL)
    #expect(try await child.waitForExit() == .signalled(SIGTERM))
  }

  @Test
  func `a child waits on its leash and goes with its owner`() async throws {
    let output = try Pipe()
    var child: ChildProcess? = try ChildProcess(
      "/bin/cat", standardInput: .leash, standardOutput: .descriptor(output.writeEnd))
    output.closeWriteEnd()
    #expect(child?.exitStatus == nil)
    child = nil
    // The output ends once nobody can write to it any more.
    #expect(await blocking { output.readAll() } == [])
  }

  @Test
  func `an input at its end ends a program that reads it`() async throws {
    let child = try ChildProcess("/bin/cat", standardInput: .null)
    #expect(try await child.waitForExit() == .exited(0))
  }

  @Test
  func `a child leads a process group of its own`() async throws {
    let child = try ChildProcess("/bin/sleep", ["1000"])
    #expect(getpgid(child.pid) == child.pid)
    #expect(getpgid(child.pid) != getpgrp())
    child.signal(SIGKILL)
    #expect(try await child.waitForExit() == .signalled(SIGKILL))
  }

  @Test
  func `a child has its environment and output and no other descriptor`() async throws {
    let output = try Pipe()
    let child = try ChildProcess(
      "/bin/sh", ["-c", "echo $COLOUR; ls /proc/self/fd | wc -l"], environment: ["COLOUR": "blue"],
      standardOutput: .descriptor(output.writeEnd))
    output.closeWriteEnd()
    let text = await blocking { String(decoding: output.readAll(), as: UTF8.self) }
    // Standard input, output and error, and the directory that `ls` reads.
    #expect(text == "blue\n4\n")
    #expect(try await child.waitForExit() == .exited(0))
  }

  @Test
  func `a program that is not there is an error`() {
    #expect(throws: ChildProcessError(executable: "/nowhere/program", errno: ENOENT)) {
      try ChildProcess("/nowhere/program")
    }
  }

  @Test
  func `a cancelled wait leaves the child alone`() async throws {
    let child = try ChildProcess("/bin/sleep", ["1000"])
    let waiting = Task { try await child.waitForExit() }
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
    #expect(child.exitStatus == nil)
    child.signal(SIGKILL)
    #expect(try await child.waitForExit() == .signalled(SIGKILL))
  }
}
