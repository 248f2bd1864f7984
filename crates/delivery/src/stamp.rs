//! Times as texts.

use jiff::Timestamp;

/// The time of RFC 3339 and RFC 5424, in UTC with microseconds.
pub(crate) fn time_text(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.6}")
}
