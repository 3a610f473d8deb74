internal import StackmeterCore

/// The text that what was rated is kept in between statements: JSON with exact decimals.
extension MeterState {
  package var text: String {
    var writer = JSONWriter()
    writer.array { writer in
      for track in tracks {
        writer.object { writer in
          writer.member("location", string: track.location)
          writer.member("minimumCharged", string: track.minimumCharged.description)
          writer.member(
            "segments",
            array: { writer in
              for segment in track.segments {
                writer.object { writer in
                  writer.member("version", segment.version)
                  if let group = segment.group { writer.member("group", string: group) }
                  writer.member("quantity", string: segment.quantity.description)
                }
              }
            })
        }
      }
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// Reads what `text` has written; nil where it is nothing of the kind.
  package init?(parsing text: String) {
    guard case .array(let elements)? = StateText.value(text) else { return nil }
    var tracks: [Track] = []
    for element in elements {
      guard let location = element["location"]?.string,
        let minimum = element["minimumCharged"]?.string.flatMap({ Cost(parsing: $0) }),
        case .array(let parts)? = element["segments"]
      else { return nil }
      var segments: [Segment] = []
      for part in parts {
        guard case .number(let number)? = part["version"], let version = Int(number),
          let quantity = part["quantity"]?.string.flatMap({ StateText.quantity($0) })
        else { return nil }
        segments.append(
          Segment(version: version, group: part["group"]?.string, quantity: quantity))
      }
      tracks.append(Track(location: location, segments: segments, minimumCharged: minimum))
    }
    self.init(tracks: tracks)
  }

  /// Nothing was rated, but each version's group is decided: that of when the period was first rated.
  package var groupsOnly: MeterState {
    MeterState(
      tracks: tracks.map { track in
        Track(
          location: track.location,
          segments: track.segments.map {
            Segment(version: $0.version, group: $0.group, quantity: .zero)
          }, minimumCharged: .zero)
      })
  }
}

extension CommitmentState {
  package var text: String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("currency", string: commitment.amount.currency.code)
      writer.member("amount", string: commitment.amount.amountText)
      writer.member("percent", string: commitment.discount.description)
      writer.member("cost", string: cost.description)
      writer.member("discount", string: discount.amountText)
      writer.member("unused", string: unused.amountText)
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// Reads what `text` has written; nil where it is nothing of the kind.
  package init?(parsing text: String) {
    guard let value = StateText.value(text),
      let currency = value["currency"]?.string.flatMap({ Currency(code: $0) }),
      let percent = value["percent"]?.string,
      percent.hasSuffix("%"), let discount = try? Percent(parsing: percent.dropLast()),
      let cost = value["cost"]?.string.flatMap({ Cost(parsing: $0) })
    else { return nil }
    func money(_ name: String) -> Money? {
      value[name]?.string.flatMap { try? Money(parsing: $0, currency) }
    }
    guard let amount = money("amount"), let taken = money("discount"), let unused = money("unused")
    else { return nil }
    self.init(
      Commitment(amount: amount, discount: discount), cost: cost, discount: taken, unused: unused)
  }
}

/// Reads the parts of such texts.
private enum StateText {
  static func value(_ text: String) -> JSONValue? {
    try? JSONValue(parsing: Array(text.utf8), limits: .batch)
  }

  static func quantity(_ text: String) -> Quantity? {
    try? Quantity(parsing: text)
  }
}

extension JSONValue {
  fileprivate subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }
}
