import Testing

@testable import StackmeterStore

@Suite struct PostgreSQLParameterTests {
  @Test func `an array has one dimension that begins with 1`() {
    #expect(
      PostgreSQLParameter(texts: Array("abc".utf8), ends: [1, 3]).bytes == [
        0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 97, 0, 0, 0, 2,
        98, 99,
      ])
  }

  /// The groups of four digits around the point that PostgreSQL itself writes for these numbers.
  @Test(arguments: [
    // 1.000000001
    (
      Int128(1_000_000_001_000_000_000),
      [0, 6, 0, 0, 0, 0, 0, 18, 0, 1, 0, 0, 0, 0, 0x03, 0xE8, 0, 0, 0, 0]
    ),
    // 0.000000001: three groups after the point, of which the third is the first that is not zero.
    (
      Int128(1_000_000_000), [0, 3, 0xFF, 0xFD, 0, 0, 0, 18, 0x03, 0xE8, 0, 0, 0, 0]
    ),
    // -20000
    (
      Int128(-20_000) * 1_000_000_000_000_000_000,
      [0, 7, 0, 1, 0x40, 0, 0, 18, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    ),
    (Int128(0), [0, 0, 0, 0, 0, 0, 0, 18]),
  ])
  func `a decimal is written to the base 10000`(attos: Int128, bytes: [UInt8]) {
    let parameter = PostgreSQLParameter(attos: [attos]).bytes
    #expect(Array(parameter[20..<24]) == [0, 0, 0, UInt8(bytes.count)])
    #expect(Array(parameter[24...]) == bytes)
  }
}
