package import CStackmeterProto
package import StackmeterCore

/// One version of a rate card.
package struct RateCardVersion: Hashable, Sendable {
  package var name: String
  package var version: UInt32
  package var effective: Day
  package var currency: String
  /// SHA-256 of the text.
  package var hash: [UInt8]
  package var byteCount: UInt64

  package init(
    name: String, version: UInt32, effective: Day, currency: String, hash: [UInt8],
    byteCount: UInt64
  ) {
    self.name = name
    self.version = version
    self.effective = effective
    self.currency = currency
    self.hash = hash
    self.byteCount = byteCount
  }

  /// `standard 3`.
  package var reference: String { "\(name) \(version)" }

  /// Nil for an absent one.
  init?(wire raw: UnsafeMutablePointer<Stackmeter__V1__RateCardVersion>?) {
    guard let raw else { return nil }
    self.init(raw.pointee)
  }

  init(_ raw: borrowing Stackmeter__V1__RateCardVersion) {
    name = text(raw.name)
    version = raw.version
    effective = Day(index: raw.effective_day)
    currency = text(raw.currency)
    hash = bytes(raw.sha256)
    byteCount = raw.byte_count
  }

  func fill(_ raw: inout Stackmeter__V1__RateCardVersion, _ arena: borrowing Arena) {
    raw.name = arena.text(name)
    raw.version = version
    raw.effective_day = effective.index
    raw.currency = arena.text(currency)
    raw.sha256 = arena.bytes(hash)
    raw.byte_count = byteCount
  }
}

/// `Rating.ListRateCards`.
package struct ListRateCardsRequest: WireMessage, Hashable {
  package var caller: Caller
  /// Empty for all.
  package var name: String

  package init(caller: Caller, name: String = "") {
    self.caller = caller
    self.name = name
  }

  package init(wire raw: borrowing Stackmeter__V1__ListRateCardsRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
    name = text(raw.name)
  }

  package func fill(_ raw: inout Stackmeter__V1__ListRateCardsRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.name = packer.arena.text(name)
  }
}

/// The versions, by name and version.
package struct ListRateCardsResponse: WireMessage, Hashable {
  package var versions: [RateCardVersion]
  /// The name of the card that usage is priced by.
  package var inForce: String

  package init(versions: [RateCardVersion], inForce: String) {
    self.versions = versions
    self.inForce = inForce
  }

  package init(wire raw: borrowing Stackmeter__V1__ListRateCardsResponse) throws(WireError) {
    versions = try elements(raw.versions, raw.n_versions) { (raw) throws(WireError) in
      RateCardVersion(raw)
    }
    inForce = text(raw.in_force)
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListRateCardsResponse, _ packer: borrowing Packer
  ) {
    raw.n_versions = versions.count
    raw.versions = packer.arena.messages(versions) {
      (version, raw: inout Stackmeter__V1__RateCardVersion) in version.fill(&raw, packer.arena)
    }
    raw.in_force = packer.arena.text(inForce)
  }
}

/// `Rating.GetRateCard`.
package struct GetRateCardRequest: WireMessage, Hashable {
  package var caller: Caller
  /// Empty for the card that usage is priced by.
  package var name: String
  /// 0 for the one that holds today.
  package var version: UInt32

  package init(caller: Caller, name: String = "", version: UInt32 = 0) {
    self.caller = caller
    self.name = name
    self.version = version
  }

  package init(wire raw: borrowing Stackmeter__V1__GetRateCardRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
    name = text(raw.name)
    version = raw.version
  }

  package func fill(_ raw: inout Stackmeter__V1__GetRateCardRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.name = packer.arena.text(name)
    raw.version = version
  }
}

/// A version with its text.
package struct GetRateCardResponse: WireMessage, Hashable {
  package var version: RateCardVersion
  package var text: [UInt8]

  package init(version: RateCardVersion, text: [UInt8]) {
    self.version = version
    self.text = text
  }

  package init(wire raw: borrowing Stackmeter__V1__GetRateCardResponse) throws(WireError) {
    guard let version = RateCardVersion(wire: raw.version) else {
      throw .invalidField(field: "version", problem: "is needed")
    }
    self.version = version
    text = bytes(raw.text)
  }

  package func fill(_ raw: inout Stackmeter__V1__GetRateCardResponse, _ packer: borrowing Packer) {
    raw.version = packer.arena.message { version.fill(&$0, packer.arena) }
    raw.text = packer.arena.bytes(text)
  }
}
