import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct Base64Tests {
  // RFC 4648, section 10, and what tells the two alphabets apart.
  private static let vectors: [([UInt8], String)] = [
    ([], ""), (Array("f".utf8), "Zg=="), (Array("fo".utf8), "Zm8="), (Array("foo".utf8), "Zm9v"),
    (Array("foobar".utf8), "Zm9vYmFy"), ([0xFB, 0xEF, 0xFF], "++//"), ([0xFF], "/w=="),
  ]

  @Test func `bytes are written with the standard alphabet and padding`() {
    for (bytes, text) in Self.vectors {
      #expect(Base64.text(bytes) == text)
      #expect(Base64.bytes(text) == bytes)
    }
  }

  @Test func `either alphabet is read, with padding or without`() {
    #expect(Base64.bytes("--__") == [0xFB, 0xEF, 0xFF])
    #expect(Base64.bytes("+-/_") == [0xFB, 0xEF, 0xFF])
    #expect(Base64.bytes("Zg") == Array("f".utf8))
    #expect(Base64.bytes("Zm8") == Array("fo".utf8))
  }

  @Test(arguments: [
    "Z", "Zg=", "Zg===", "=", "====", "Zm9v=", "Zm9v====", "Z=g=", "Zh==", "Zm9=", "Zm 9v",
    "Zm9v\n", "é",
    "Zg==Zg==",
  ])
  func `what no bytes are written as is refused`(text: String) {
    #expect(Base64.bytes(text) == nil)
  }

  @Test func `any bytes survive`() {
    var random = SeededRandom(seed: 3)
    for count in 0..<200 {
      let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
      #expect(Base64.bytes(Base64.text(bytes)) == bytes)
    }
  }
}
