import Testing

@Suite struct ProtoTests {
  @Test func `the committed C sources are what the proto files make`() throws {
    let (code, output) = try SourceTree.run(["bash", "proto/generate", "--check"])
    #expect(code == 0, "\(output)")
  }
}
