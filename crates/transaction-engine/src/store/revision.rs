//! What a committed change is called, when it was, and what is kept of it.
//!
//! A record holds every body before and after, although the store could do with the half of it:
//! so any change can be explained, compared and undone years later from the record alone, and a
//! replay notices at once when it is applied to the wrong tree.
//!
//! No clock is read here. A [`Timestamp`] comes from code that has the engine's clock.

use std::fmt;
use std::time::Duration;

use config_tree::{Change, TreeDigest};
use uuid::Uuid;

/// The number of a revision. They have no gaps; 0 is the tree before the first commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RevisionNumber(u64);

impl RevisionNumber {
    /// The tree before the first commit. It has no record.
    pub const ZERO: Self = Self(0);

    /// The revision with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of the commit after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The number of the commit before this one; that of 0 is 0.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A moment, in microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment this many microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads a moment as RFC 3339 has it, with an offset: `2026-11-22T00:45:00Z`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Self(moment.as_microsecond()))
    }

    /// The moment `duration` later, or the last one there is.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The time that has passed since `earlier`; nothing where that lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        // A wall clock may be set back, so "earlier" is a hope and not a promise.
        let micros = i128::from(self.0) - i128::from(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with microseconds: `2026-11-22T00:45:00.000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment:.6}"),
            // Beyond the year 9999 there is no such text.
            Err(_) => write!(f, "{} microseconds since 1970-01-01T00:00:00Z", self.0),
        }
    }
}

/// Everything that is kept of one commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionRecord {
    /// Its number, one more than that of the revision it was made from.
    pub number: RevisionNumber,
    /// When it was committed.
    pub time: Timestamp,
    /// The name the committer gave to the attempt, by which a retry is recognised.
    pub commit_id: Uuid,
    /// Who committed.
    pub author: String,
    /// The session in which it was done; a name for people, never a token.
    pub session: String,
    /// Why, in the author's words.
    pub message: Option<String>,
    /// What changed, in an order in which it can be applied.
    pub changes: Vec<Change>,
    /// The digest of the tree after it.
    pub digest: TreeDigest,
}

impl RevisionRecord {
    /// What is to be known of it without its changes.
    #[must_use]
    pub fn info(&self) -> RevisionInfo {
        let Self { number, time, digest, .. } = *self;
        RevisionInfo {
            number,
            time,
            author: self.author.clone(),
            session: self.session.clone(),
            message: self.message.clone(),
            changes: self.changes.len(),
            digest,
        }
    }
}

/// What is to be known of a revision without its changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionInfo {
    /// Its number.
    pub number: RevisionNumber,
    /// When it was committed.
    pub time: Timestamp,
    /// Who committed.
    pub author: String,
    /// The session in which it was done; a name for people, never a token.
    pub session: String,
    /// Why, in the author's words.
    pub message: Option<String>,
    /// How many changes it has.
    pub changes: usize,
    /// The digest of the tree after it.
    pub digest: TreeDigest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_from_the_empty_tree() {
        assert_eq!(RevisionNumber::ZERO.next(), RevisionNumber::new(1));
        assert!(RevisionNumber::new(9) < RevisionNumber::new(10));
        assert_eq!(RevisionNumber::new(12).to_string(), "12");
    }

    #[test]
    fn times_are_shown_in_utc_with_microseconds() {
        let shown = |micros| Timestamp::from_micros(micros).to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999999Z");
        assert!(shown(i64::MAX).contains("microseconds"));
    }

    #[test]
    fn a_moment_is_read_with_its_offset() {
        let read = |text| Timestamp::parse(text).map(Timestamp::as_micros);
        assert_eq!(read("1970-01-01T00:00:01Z"), Some(1_000_000));
        assert_eq!(read("1970-01-01T01:00:00.5+01:00"), Some(500_000));
        for bad in ["", "1970-01-01", "1970-01-01T00:00:00", "yesterday", "99999-01-01T00:00:00Z"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn arithmetic_stays_in_range() {
        let (a, b) = (Timestamp::from_micros(5), Timestamp::from_micros(8));
        assert_eq!(b.since(a), Duration::from_micros(3));
        assert_eq!(a.since(b), Duration::ZERO, "a clock that was set back counts as zero");
        assert_eq!(a.plus(Duration::from_micros(3)), b);
        assert_eq!(a.plus(Duration::MAX).as_micros(), i64::MAX);
        let longest = Timestamp::from_micros(i64::MAX).since(Timestamp::from_micros(i64::MIN));
        assert_eq!(longest, Duration::from_micros(u64::MAX));
    }
}
