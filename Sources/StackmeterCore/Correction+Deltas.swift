extension UsageEvent {
  /// A void as it is kept: whatever else its reporter said, it says only which event it cancels.
  package var canonicalVoid: UsageEvent {
    UsageEvent(
      id: id, source: source, series: .none, usageStart: usageStart, usageEnd: usageStart,
      quantity: .zero, correction: correction)
  }

  /// What counts so that this correction takes effect upon `target`: the negation of what the target counted,
  /// then, for a replacement, its own content. One event with the difference where that is exactly the same.
  ///
  /// All of them belong together: they are counted in one window and in one step, or not at all.
  package func deltas(correcting target: UsageEvent) -> EventBatch {
    precondition(correction != nil, "only a correction has an effect upon another event")
    var negation = target
    negation.id = id
    negation.quantity = target.quantity.negated
    negation.correction = nil
    guard correction?.kind == .replaces else { return EventBatch(negation) }
    var content = self
    content.correction = nil
    // Parts of an hour are truncated, so that over several hours the parts of a difference are not the
    // differences of the parts.
    let isSameUsage =
      series == target.series && usageStart == target.usageStart && usageEnd == target.usageEnd
    if isSameUsage && isWithinOneHour, let difference = quantity.adding(negation.quantity) {
      content.quantity = difference
      return EventBatch(content)
    }
    return EventBatchBuilder([negation, content]).batches[0].batch
  }

  private var isWithinOneHour: Bool { usageEnd <= usageStart.hour.end }
}
