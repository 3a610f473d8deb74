internal import Glibc

/// Runs `body` on a new thread: for calls that block, which must not hold up tasks.
package func onThread(_ body: @escaping @Sendable () -> Void) {
  final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
  var thread = pthread_t()
  let argument = Unmanaged.passRetained(Body(body))
  let code = pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
      return nil
    }, argument.toOpaque())
  precondition(code == 0, "a thread can be made")
  pthread_detach(thread)
}

/// Awaits a call that blocks, on a thread of its own.
package func blocking<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
  await withCheckedContinuation { continuation in
    onThread { continuation.resume(returning: body()) }
  }
}
