import Glibc

/// The entry points of libFuzzer. `STACKMETER_FUZZ_TARGET` names the target; with `STACKMETER_FUZZ_SEEDS` its
/// seeds are written to that directory, and nothing is run.
private let target: FuzzTarget = {
  let name = getenv("STACKMETER_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
    let message = "STACKMETER_FUZZ_TARGET must be one of \(names)\n"
    write(STDERR_FILENO, message, message.utf8.count)
    exit(64)
  }
  return target
}()

@_cdecl("LLVMFuzzerInitialize")
func initialize(
  _ count: UnsafeMutableRawPointer, _ arguments: UnsafeMutableRawPointer
) -> Int32 {
  guard let directory = getenv("STACKMETER_FUZZ_SEEDS").map({ String(cString: $0) }) else {
    return 0
  }
  for (number, seed) in target.seeds.enumerated() {
    guard let file = fopen("\(directory)/seed-\(number)", "w") else { exit(73) }
    fwrite(seed, 1, seed.count, file)
    fclose(file)
  }
  exit(0)
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  target.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
