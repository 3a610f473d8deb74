import StackmeterRPC
import Testing

@Suite(.timeLimit(.minutes(1))) struct StopSignalTests {
  @Test func `a signal that was raised is never waited for`() async {
    let signal = StopSignal()
    #expect(!signal.isRaised)
    signal.raise()
    signal.raise()
    #expect(signal.isRaised)
    await signal.wait()
    await signal.wait()
  }

  @Test func `all who wait go on when it is raised`() async {
    let signal = StopSignal()
    await withTaskGroup(of: Void.self) { group in
      let (started, start) = AsyncStream.makeStream(of: Void.self)
      for _ in 0..<100 {
        group.addTask {
          start.yield()
          await signal.wait()
          #expect(signal.isRaised)
        }
      }
      var count = 0
      for await _ in started {
        count += 1
        if count == 100 { break }
      }
      signal.raise()
    }
  }

  @Test func `a task that is cancelled waits no longer, the others do`() async {
    let signal = StopSignal()
    let (started, start) = AsyncStream.makeStream(of: Void.self)
    let cancelled = Task {
      start.yield()
      await signal.wait()
      return signal.isRaised
    }
    let other = Task {
      start.yield()
      await signal.wait()
      return signal.isRaised
    }
    var iterator = started.makeAsyncIterator()
    await iterator.next()
    await iterator.next()
    cancelled.cancel()
    #expect(await cancelled.value == false)
    signal.raise()
    #expect(await other.value == true)
  }

  @Test func `a task that was cancelled before does not wait`() async {
    let signal = StopSignal()
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      await signal.wait()
      return signal.isRaised
    }
    #expect(await task.value == false)
  }

  @Test func `raising and cancelling at the same time resumes each once`() async {
    for _ in 0..<200 {
      let signal = StopSignal()
      let task = Task { await signal.wait() }
      async let raised: Void = signal.raise()
      task.cancel()
      await raised
      await task.value
    }
  }
}
