package import StackmeterCore

/// Which closed windows are kept.
package enum Retention {
  /// The first window that is kept where `months` whole months in front of the open window's month are, 0 for all of
  /// them. One hour more, because usage may be reported just ahead of its hour.
  package static func firstWindow(openWindow: Hour, months: Int) -> Hour? {
    guard months > 0 else { return nil }
    let date = CivilDate(openWindow.day)
    let month = date.year * 12 + date.month - 1 - months
    guard let first = CivilDate(year: month / 12, month: month % 12 + 1, day: 1) else { return nil }
    return Hour(index: first.date.firstHour.index - 1)
  }
}
