/// The limits of one usage event. Everything past them is refused with the field's name.
package enum EventLimits {
  package static let idBytesMax = 256
  package static let sourceBytesMax = 256
  package static let subscriptionBytesMax = 128
  package static let meterBytesMax = 128
  package static let resourceURIBytesMax = 1024
  package static let locationBytesMax = 128
  package static let tagsMax = 50
  package static let tagsBytesMax = 8192
  package static let additionalInfoBytesMax = 8192
  /// Events of one batch or one request.
  package static let batchEventsMax = 16_384
  /// The magnitude of one event's quantity, in units of the meter.
  package static let quantityMax = Quantity(units: 1_000_000_000_000_000, attos: 0)!
  /// Corrections that wait for an event that is not known yet, of all sources.
  package static let parkedMax = 65_536
  /// What these may take together, as `EventBatch.byteCount` counts it.
  package static let parkedBytesMax = 64 << 20
  /// How far an event may end in the future of the collector's clock.
  package static let futureMax: Duration = .seconds(300)
}
