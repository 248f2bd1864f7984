//! Times as the API writes them.

use jiff::tz::TimeZone;
use transaction_engine::Timestamp;

fn utc(time: Timestamp) -> jiff::Zoned {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or_default();
    time.to_zoned(TimeZone::UTC)
}

/// `2022-11-06T14:38:54.000Z`, of versions.
pub(super) fn millis(time: Timestamp) -> String {
    utc(time).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// `2022-11-06 14:38:54`, of jobs.
pub(super) fn plain(time: Timestamp) -> String {
    utc(time).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Seconds since 1970.
pub(super) fn seconds(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let time = Timestamp::from_micros(1_667_745_534_000_000);
        assert_eq!(millis(time), "2022-11-06T14:38:54.000Z");
        assert_eq!(plain(time), "2022-11-06 14:38:54");
        assert_eq!(seconds(time), 1_667_745_534);
    }
}
