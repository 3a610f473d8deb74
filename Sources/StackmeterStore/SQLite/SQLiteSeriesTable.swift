internal import StackmeterCore

/// The series of a connection that were looked at, so that page after page does not read them anew. A series that
/// was committed never changes.
final class SQLiteSeriesTable {
  /// What is kept of them; past it, all are forgotten.
  static let bytesMax = 16 << 20
  /// What a series takes beside its texts, about.
  private static let bytesEach = 256

  private let select: Statement
  private var seriesByNumber: [Int64: Series] = [:]
  private var byteCount = 0

  init(_ connection: SQLite) throws(StoreError) {
    select = try connection.prepare(
      """
      SELECT n.name, s.meter, s.resource_uri, s.location, s.tags, s.additional_info
      FROM series s JOIN subscription n ON n.id = s.id >> \(SeriesNumbers.bitsWithinSubscription)
      WHERE s.id = ?
      """)
  }

  func series(_ number: Int64) throws(StoreError) -> Series {
    if let known = seriesByNumber[number] { return known }
    select.bind(1, number)
    guard try select.step() else {
      throw StoreError(.system, "the usage database is damaged: there is no series \(number)")
    }
    defer { select.reset() }
    let series = select.series(0)
    byteCount += series.byteCount + SQLiteSeriesTable.bytesEach
    if byteCount > SQLiteSeriesTable.bytesMax {
      seriesByNumber = [:]
      byteCount = series.byteCount + SQLiteSeriesTable.bytesEach
    }
    seriesByNumber[number] = series
    return series
  }
}
