internal import StackmeterCore
internal import Testing

@testable import AgentServer

@Suite struct MeterCatalogFileTests {
  @Test func `the shipped catalog holds Azure's meters and the agent's`() throws {
    let catalog = try MeterCatalog(json: repositoryFile("deploy/config/meters.json"))
    #expect(catalog.meters.count == 86 + AgentMeter.allCases.count)
    for meter in AgentMeter.allCases {
      let definition = try #require(catalog[meter.id])
      #expect(definition.resourceProvider == "stackmeter-agent")
      #expect(definition.aggregation == .sum && definition.isBillable)
    }
    let size = try #require(catalog["fab6eb84-500b-4a09-a8ca-7358f8bbaea5"])
    #expect(size.id == "FAB6EB84-500B-4A09-A8CA-7358F8BBAEA5")
    #expect(size.name == "Base VM Size Hours" && size.unit == "Virtual core hours")
    #expect(size.resourceProvider == "Microsoft.Compute" && size.category == "Compute")
    #expect(catalog["B5C15376-6C94-4FDD-B655-1A69D138ACA3"]?.name == "PageBlobCapacity")
    #expect(catalog["190C935E-9ADA-48FF-9AB8-56EA1CF9ADAA"]?.isBillable == true)
    // What Azure has deprecated must not be billed beside what replaced it.
    #expect(catalog["5d76e09f-4567-452a-94cc-7d1f097761f0"]?.isBillable == false)
  }

  @Test func `the catalog has one meter on each line`() throws {
    let text = try repositoryFile("deploy/config/meters.json")
    let lines = text.split(separator: UInt8(ascii: "\n"))
    #expect(lines.count == 86 + AgentMeter.allCases.count + 2)
  }
}
