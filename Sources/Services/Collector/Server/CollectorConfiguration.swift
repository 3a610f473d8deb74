package import StackmeterRuntime

/// What the collector may be told.
package struct CollectorConfiguration: Hashable, Sendable {
  package var journalDirectory: String
  package var quarantineDirectory: String
  /// What the dedup index keeps to start fast. It is made anew from the journal where it is gone.
  package var dedupDirectory: String
  /// What the dedup index may take in memory; what is more goes to its directory.
  package var dedupMemoryBytes: Int
  /// Events of the dedup index that no file has yet, at most about: a start inserts so many again. Nil for a share of
  /// those in memory.
  package var dedupRecentCountMax: Int?
  /// Usage of an hour that began longer ago is quarantined. Deduplication is exact within it.
  package var latenessLimit: Duration
  /// Ingest is refused while the disk has less free than this.
  package var diskReserveBytes: UInt64
  /// Past this, what is refused is told so but no longer kept.
  package var quarantineBytesMax: UInt64
  /// How long a record stays in the journal at least; nil for ever.
  package var journalRetention: Duration?

  package init(
    journalDirectory: String, quarantineDirectory: String, dedupDirectory: String,
    dedupMemoryBytes: Int = 1 << 30, dedupRecentCountMax: Int? = nil,
    latenessLimit: Duration = .seconds(7 * 86_400), diskReserveBytes: UInt64 = 256 << 20,
    quarantineBytesMax: UInt64 = 256 << 20, journalRetention: Duration? = nil
  ) {
    self.journalDirectory = journalDirectory
    self.quarantineDirectory = quarantineDirectory
    self.dedupDirectory = dedupDirectory
    self.dedupMemoryBytes = dedupMemoryBytes
    self.dedupRecentCountMax = dedupRecentCountMax
    self.latenessLimit = latenessLimit
    self.diskReserveBytes = diskReserveBytes
    self.quarantineBytesMax = quarantineBytesMax
    self.journalRetention = journalRetention
  }

  package init(_ settings: Settings) {
    self.init(
      journalDirectory: settings.journalDirectory,
      quarantineDirectory: settings.quarantineDirectory,
      dedupDirectory: settings.dedupDirectory,
      dedupMemoryBytes: settings.dedupMebibytesMax << 20,
      latenessLimit: .seconds(settings.latenessLimitDays * 86_400),
      diskReserveBytes: UInt64(settings.diskReserveMebibytes) << 20,
      quarantineBytesMax: UInt64(settings.quarantineMebibytesMax) << 20,
      journalRetention: settings.journalRetentionDays > 0
        ? .seconds(settings.journalRetentionDays * 86_400) : nil)
  }
}
