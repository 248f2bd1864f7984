//! How an appliance writes the times that it keeps in bodies.

use jiff::Timestamp;

/// A way to write a time, always in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeFormat {
    /// `2024-01-01T00:00:00Z`
    #[default]
    Seconds,
    /// `2024-01-01T00:00:00.000+00:00`
    MillisOffset,
    /// `2024-01-01T00:00:00.000000Z`
    Micros,
}

impl TimeFormat {
    pub(crate) const NAMES: [&str; 3] =
        ["rfc3339-seconds-z", "rfc3339-millis-offset", "rfc3339-micros-z"];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "rfc3339-seconds-z" => Some(Self::Seconds),
            "rfc3339-millis-offset" => Some(Self::MillisOffset),
            "rfc3339-micros-z" => Some(Self::Micros),
            _ => None,
        }
    }

    /// A time in microseconds since the Unix epoch as text.
    #[must_use]
    pub fn text(self, microseconds: i64) -> String {
        let time = Timestamp::from_microsecond(microseconds).unwrap_or_default();
        let pattern = match self {
            Self::Seconds => "%Y-%m-%dT%H:%M:%SZ",
            Self::MillisOffset => "%Y-%m-%dT%H:%M:%S.%3f+00:00",
            Self::Micros => "%Y-%m-%dT%H:%M:%S.%6fZ",
        };
        time.strftime(pattern).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_catalog_says() {
        let time = 1_704_067_199_836_392;
        let texts = TimeFormat::NAMES.map(|name| TimeFormat::parse(name).unwrap().text(time));
        assert_eq!(
            texts,
            [
                "2023-12-31T23:59:59Z",
                "2023-12-31T23:59:59.836+00:00",
                "2023-12-31T23:59:59.836392Z"
            ]
        );
    }
}
