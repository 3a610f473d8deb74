package import StackmeterCore

/// The meter catalog in a file. All its problems are reported at once.
package func meterCatalog(_ path: String) throws -> MeterCatalog {
  let content = try fileContent(path)
  do {
    return try MeterCatalog(json: content)
  } catch {
    throw SettingsError(problems: error.problems.map { "\(path): \($0)" })
  }
}
