/// Since when and until when a delegated provider has a subscription among its direct tenants.
///
/// A provider's own tenants may be providers again: each sees its direct ones, so that tenancies make a tree of any
/// depth. A subscription is the tenant of one provider at a time.
package struct Tenancy: Hashable, Sendable {
  /// In lower case.
  package var provider: String
  /// In lower case.
  package var subscription: String
  /// The usage hours that the provider sees.
  package var hours: Range<Hour>

  /// Where a directory says neither since when nor until when.
  package static let always = Hour(index: 0)..<Hour(index: 100_000_000)

  package init(provider: String, subscription: String, hours: Range<Hour> = Tenancy.always) {
    self.provider = provider
    self.subscription = subscription
    self.hours = hours
  }
}
