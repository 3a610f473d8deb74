import Foundation
import StackmeterCompression
import StackmeterTesting
import Testing

@Suite struct GzipTests {
  private let limits = GzipLimits(outputBytesMax: 64 << 20, ratioMax: 2000)

  private func text(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
    let words = ["usage", "meter", "\n", "2026-11-23T15:00:00Z", ",", "é"]
    var bytes: [UInt8] = []
    while bytes.count < count { bytes += Array(words.randomElement(using: &random)!.utf8) }
    return Array(bytes.prefix(count))
  }

  @Test(
    arguments: [0, 1, 65_535, 65_536, 65_537, 1_000_000], [GzipEncoder.Effort.fast, .balanced])
  func `what was written in pieces is read in pieces`(
    count: Int, effort: GzipEncoder.Effort
  ) throws {
    var random = try SeededRandom()
    let bytes = text(count, &random)
    let encoder = GzipEncoder(effort)
    var packed: [UInt8] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...40_000, using: &random))
      encoder.write(Array(piece), to: &packed)
      rest = rest.dropFirst(piece.count)
    }
    encoder.finish(to: &packed)
    let decoder = GzipDecoder(limits)
    var read: [UInt8] = []
    var packedRest = packed[...]
    while !packedRest.isEmpty {
      #expect(throws: GzipError.truncated) { try decoder.finish() }
      let piece = packedRest.prefix(Int.random(in: 1...5000, using: &random))
      try decoder.write(Array(piece), to: &read)
      packedRest = packedRest.dropFirst(piece.count)
    }
    try decoder.finish()
    #expect(read == bytes, "seed \(random.seed)")
    #expect(decoder.outputBytes == count && decoder.inputBytes == packed.count)
  }

  @Test func `gzip of the system and ours read each other, and members one behind the other`()
    throws
  {
    let bytes = Array("stackmeter".utf8)
    let packed = GzipEncoder.encode(bytes, .balanced)
    #expect(try systemGzip(["--decompress"], packed) == bytes)
    let twice = try systemGzip([], bytes) + packed
    #expect(try GzipDecoder.decode(twice, limits) == bytes + bytes)
    #expect(GzipEncoder.encode(bytes, .balanced) == packed)
  }

  private func systemGzip(_ arguments: [String], _ input: [UInt8]) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.arguments = arguments
    let (incoming, outgoing) = (Foundation.Pipe(), Foundation.Pipe())
    process.standardInput = incoming
    process.standardOutput = outgoing
    try process.run()
    incoming.fileHandleForWriting.write(Data(input))
    try incoming.fileHandleForWriting.close()
    let output = Array(outgoing.fileHandleForReading.readDataToEndOfFile())
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return output
  }

  @Test func `a text that is one byte too large is refused, and one that just fits is not`() throws
  {
    let packed = GzipEncoder.encode(Array(repeating: 7, count: 200_000), .balanced)
    for (bytesMax, isTaken) in [(200_000, true), (199_999, false)] {
      let limits = GzipLimits(outputBytesMax: bytesMax, ratioMax: 2000)
      if isTaken {
        #expect(try GzipDecoder.decode(packed, limits).count == 200_000)
      } else {
        #expect(throws: GzipError.tooLarge(bytesMax: bytesMax)) {
          try GzipDecoder.decode(packed, limits)
        }
      }
    }
  }

  @Test func `a bomb is noticed by its ratio long before it is unpacked`() throws {
    let bomb = GzipEncoder.encode(Array(repeating: 0, count: 50_000_000), .balanced)
    let limits = GzipLimits(outputBytesMax: .max, ratioMax: 100, outputBytesFree: 1 << 20)
    let decoder = GzipDecoder(limits)
    var output: [UInt8] = []
    #expect(throws: GzipError.tooDense(ratioMax: 100)) { try decoder.write(bomb, to: &output) }
    #expect(output.count < 100 * bomb.count + (1 << 20))
    // Little may come out at any ratio.
    let small = GzipEncoder.encode(Array(repeating: 0, count: 1 << 20), .balanced)
    #expect(try GzipDecoder.decode(small, limits).count == 1 << 20)
  }

  @Test func `bytes that are no gzip, are damaged, or end too early are told apart`() throws {
    let packed = GzipEncoder.encode(Array("stackmeter stackmeter".utf8), .fast)
    #expect(throws: GzipError.malformed) { try GzipDecoder.decode(Array("hello".utf8), limits) }
    // Raw zlib is no gzip.
    #expect(throws: GzipError.malformed) { try GzipDecoder.decode([0x78, 0x9C, 3, 0], limits) }
    #expect(throws: GzipError.malformed) { try GzipDecoder.decode(packed + [0, 0], limits) }
    #expect(throws: GzipError.truncated) { try GzipDecoder.decode([], limits) }
    for count in 1..<packed.count {
      #expect(throws: GzipError.truncated) {
        try GzipDecoder.decode(Array(packed.prefix(count)), limits)
      }
    }
    for index in packed.indices {
      var damaged = packed
      damaged[index] ^= 0x10
      let read = try? GzipDecoder.decode(damaged, limits)
      // Only the header's time, effort and system are not proved.
      #expect(read == nil || (4...9).contains(index), "byte \(index)")
    }
  }
}
