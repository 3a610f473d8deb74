import CStackmeterSupport
import Testing

@Suite struct ChecksumTests {
  private func crc(_ bytes: [UInt8], _ start: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { raw in
      raw.baseAddress.map { stackmeter_crc32c(start, $0, raw.count) } ?? start
    }
  }

  @Test func `CRC-32C is that of RFC 3720`() {
    #expect(crc(Array("123456789".utf8)) == 0xE306_9283)
    #expect(crc([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(crc([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(crc((0..<32).map { $0 }) == 0x46DD_794E)
    #expect(crc((0..<32).reversed().map { $0 }) == 0x113F_DB5C)
  }

  @Test func `CRC-32C goes on where it stopped, at any place`() {
    let bytes = (0..<100).map { UInt8($0) }
    for cut in 0...bytes.count {
      #expect(crc(Array(bytes[cut...]), crc(Array(bytes[..<cut]))) == crc(bytes))
    }
  }

  /// The first vectors of the authors' list for 128 bits: the key is 00…0f, the input 00, 01, ….
  @Test(arguments: [
    (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
    (2, "8177228da4a45dc7fca38bdef60affe4"), (3, "9c70b60c5267a94e5f33b6b02985ed51"),
    (4, "f88164c12d9c8faf7d0f6e7c7bcd5579"), (5, "1368875980776f8854527a07690e9627"),
    (6, "14eeca338b208613485ea0308fd7a15e"), (7, "a1f1ebbed8dbc153c0b84aa61ff08239"),
    (8, "3b62a9ba6258f5610f83e264f31497b4"), (9, "264499060ad9baabc47f8b02bb6d71ed"),
    (15, "5493e99933b0a8117e08ec0f97cfc3d9"), (63, "5150d1772f50834a503e069a973fbd7c"),
  ])
  func `SipHash is that of its authors`(count: Int, expected: String) {
    let key: [UInt64] = [0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908]
    let input = (0..<count).map { UInt8($0) }
    var result: [UInt64] = [0, 0]
    input.withUnsafeBytes { stackmeter_siphash128(key, $0.baseAddress, $0.count, &result) }
    let hex = result.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
      .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    #expect(hex == expected)
  }
}
