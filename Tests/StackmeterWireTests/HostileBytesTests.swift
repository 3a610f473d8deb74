import StackmeterTesting
import StackmeterWire
import Testing

@Suite struct HostileBytesTests {
  private let schema = ProtoSchema.committed

  @Test(arguments: WireFixture.all)
  func `a message that is cut off anywhere is refused or is a shorter message`(
    fixture: WireFixture
  ) throws {
    for example in fixture.examples {
      for count in example.indices { try requireTame(fixture, Array(example[..<count])) }
    }
  }

  @Test func `no random change of bytes gets further than an error or a value`() throws {
    try withSeededRandom { random in
      for fixture in WireFixture.all {
        for round in 0..<900 {
          var bytes = fixture.examples[round % fixture.examples.count]
          for _ in 0..<Int.random(in: 1...4, using: &random) {
            mutate(&bytes, using: &random)
          }
          try requireTame(fixture, bytes)
        }
      }
    }
  }

  @Test func `no random bytes get further than an error or a value`() throws {
    try withSeededRandom { random in
      for fixture in WireFixture.all {
        for _ in 0..<100 {
          let count = Int.random(in: 0...40, using: &random)
          try requireTame(
            fixture, (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
      }
    }
  }

  /// What is taken at all can be sent on, and means the same from then on.
  private func requireTame(_ fixture: WireFixture, _ bytes: [UInt8]) throws {
    let first: [UInt8]
    do throws(WireError) {
      first = try fixture.repack(bytes, .standard)
    } catch {
      return
    }
    try #require(try fixture.repack(first, .standard) == first, "\(fixture): \(bytes)")
  }

  private func mutate(_ bytes: inout [UInt8], using random: inout SeededRandom) {
    let place = Int.random(in: 0...bytes.count, using: &random)
    let interesting: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x12, 0x1A]
    switch Int.random(in: 0...5, using: &random) {
    case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
    case 1 where place < bytes.count: bytes[place] = interesting.randomElement(using: &random)!
    case 2 where place < bytes.count: bytes.remove(at: place)
    case 3: bytes.insert(interesting.randomElement(using: &random)!, at: place)
    case 4: bytes += bytes[place...]
    default: bytes = Array(bytes[place...] + bytes[..<place])
    }
  }

  @Test(arguments: WireFixture.all)
  func `what is not protobuf is called malformed, at any depth`(fixture: WireFixture) {
    let faults: [(String, [UInt8])] = [
      ("a group", [0x0B]), ("the end of a group", [0x0C]), ("wire type 6", [0x0E]),
      ("wire type 7", [0x0F]), ("field number 0", [0x00, 0x00]),
      ("field number 0 with a length", [0x02, 0x00]),
      ("a field number past 29 bits", [0x80, 0x80, 0x80, 0x80, 0x10, 0x00]),
      ("a key of six bytes", [0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00]),
      ("a key that ends", [0x88]),
      ("a number that ends", [0x98, 0x7D, 0x80]),
      ("a number of eleven bytes", [0x98, 0x7D] + Array(repeating: 0x80, count: 10) + [0]),
      ("a length past the end", [0x9A, 0x7D, 1]),
      ("a length of 4 GB", [0x9A, 0x7D, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
      ("a length of 2^64 - 1", [0x9A, 0x7D] + Array(repeating: 0xFF, count: 9) + [1]),
      ("a length of eleven bytes", [0x9A, 0x7D] + Array(repeating: 0x80, count: 10) + [0]),
      ("four bytes that are three", [0x9D, 0x7D, 1, 2, 3]),
      ("eight bytes that are seven", [0x99, 0x7D, 1, 2, 3, 4, 5, 6, 7]),
    ]
    let depths =
      [[]] + schema.paths(from: fixture.name).filter { schema.messages[$0.last!.type] != nil }
    for path in depths {
      for (fault, content) in faults {
        let bytes = nested(path) { $0.raw(content) }
        let error = wireError { () throws(WireError) in try fixture.repack(bytes, .standard) }
        #expect(error?.isMalformed == true, "\(fault) in \(path.map(\.name))")
      }
    }
  }

  @Test(arguments: WireFixture.all)
  func `a field in another wire type than its own is malformed`(fixture: WireFixture) {
    for path in schema.paths(from: fixture.name) {
      let field = path.last!
      let own = schema.wireType(of: field)
      for (wireType, content) in [
        (0, [1]), (1, [1, 2, 3, 4, 5, 6, 7, 8]), (2, [2, 8, 1]), (5, [1, 2, 3, 4]),
      ] as [(Int, [UInt8])] where wireType != own && !(field.isRepeated && wireType == 2) {
        let bytes = nested(path.dropLast()) { writer in
          writer.key(field.number, wireType: wireType)
          writer.raw(content)
        }
        let error = wireError { () throws(WireError) in try fixture.repack(bytes, .standard) }
        #expect(error?.isMalformed == true, "\(path.map(\.name)) in wire type \(wireType)")
      }
    }
  }

  @Test(arguments: WireFixture.all)
  func `empty texts, bytes, columns and sub-messages are never a null that is followed`(
    fixture: WireFixture
  ) throws {
    for path in schema.paths(from: fixture.name) {
      let field = path.last!
      guard schema.wireType(of: field) == 2 || field.isRepeated else { continue }
      try requireTame(fixture, nested(path.dropLast()) { $0.content(field.number, []) })
      try requireTame(
        fixture,
        nested(path.dropLast()) { writer in
          writer.content(field.number, [])
          writer.content(field.number, [])
        })
    }
  }

  @Test(arguments: WireFixture.all)
  func `a sub-message that may stand once is refused the second time`(fixture: WireFixture) {
    // Parsers do not agree on what two mean, and a quantity must mean the same to all.
    for path in schema.paths(from: fixture.name) {
      let field = path.last!
      guard schema.messages[field.type] != nil, !field.isRepeated else { continue }
      let bytes = nested(path.dropLast()) { writer in
        writer.content(field.number, [])
        writer.content(field.number, [])
      }
      let error = wireError { () throws(WireError) in try fixture.repack(bytes, .standard) }
      #expect(error?.field == field.name, "\(path.map(\.name))")
    }
  }
}
