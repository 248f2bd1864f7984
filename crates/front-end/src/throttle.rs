//! Slows down whoever guesses passwords.
//!
//! Failures are counted per pair of address and user name. Per user alone, a stranger could lock the
//! administrator out; per address alone, everyone behind one gateway would pay for one colleague's
//! stale script. A password sprayed over many users from one address is bounded by the password
//! hasher's queue instead.
//!
//! Nothing here reads a clock or waits: time comes in as microseconds, so that a test runs through an
//! hour in a microsecond. Clocks are set back sometimes; a block never lasts longer than its own length
//! from the moment it is looked at.
//!
//! An attempt counts from the moment it begins: of attempts at the same time no more are checked than
//! one after the other.
//!
//! Names come from strangers and may be long, so a pair is kept as a digest of fixed size, and only so
//! many pairs are kept: the one that failed longest ago makes room.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

const MICROSECONDS: i64 = 1_000_000;

/// When a login is blocked, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleRules {
    /// Failures within the window that lead to a block, a count.
    pub failures: usize,
    /// The window.
    pub window: Duration,
    /// How long a block lasts.
    pub block: Duration,
    /// Most pairs of address and user remembered, a count.
    pub entries: usize,
}

impl Default for ThrottleRules {
    fn default() -> Self {
        let (window, block) = (Duration::from_secs(60), Duration::from_secs(300));
        Self { failures: 10, window, block, entries: 10_000 }
    }
}

/// The failed logins of late.
#[derive(Debug, Default)]
pub struct Throttle {
    rules: ThrottleRules,
    entries: HashMap<Key, Record>,
    /// Every key of `entries` under its `touched`, for finding the oldest.
    by_age: BTreeMap<u64, Key>,
    /// Counts failures, as an age that no clock can turn back.
    failures_seen: u64,
}

/// The login is refused without looking at the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many failed logins: try again in {seconds_left} seconds")]
pub struct Blocked {
    /// Seconds until the next attempt is heard; at least 1.
    pub seconds_left: u32,
}

/// Why an attempt is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There were too many failures.
    Blocked(Blocked),
    /// It may be begun when another one has ended.
    Wait,
}

type Key = [u8; 32];

#[derive(Debug, Default)]
struct Record {
    /// Times of the failures within the window, oldest first; fewer than `rules.failures`.
    failures: Vec<i64>,
    /// How many attempts have begun and not ended.
    under_way: usize,
    blocked_until: Option<i64>,
    touched: u64,
}

impl Record {
    fn is_empty(&self) -> bool {
        self.failures.is_empty() && self.under_way == 0 && self.blocked_until.is_none()
    }
}

impl Throttle {
    /// An empty memory.
    pub fn new(rules: ThrottleRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Begins an attempt, which counts as a failure until it has proved to be none: attempts at the
    /// same time gain nothing.
    ///
    /// # Errors
    /// [`Refused::Blocked`]; [`Refused::Wait`] while so many attempts are under way that one more
    /// could be one too many.
    pub fn begin(&mut self, address: IpAddr, user: &str, now: i64) -> Result<(), Refused> {
        let key = pair(address, user);
        if let Some(until) = self.entries.get(&key).and_then(|record| record.blocked_until) {
            // If the clock was set back, the block would last that much longer.
            let until = until.min(now.saturating_add(span(self.rules.block)));
            if now < until {
                if let Some(record) = self.entries.get_mut(&key) {
                    record.blocked_until = Some(until);
                }
                let left = until.saturating_sub(now).saturating_add(MICROSECONDS - 1);
                let seconds_left = u32::try_from(left / MICROSECONDS).unwrap_or(u32::MAX);
                return Err(Refused::Blocked(Blocked { seconds_left }));
            }
            self.forget(&key);
        }
        let most = self.rules.failures.max(1);
        let record = self.record(key);
        if record.under_way > 0 && record.failures.len() + record.under_way >= most {
            return Err(Refused::Wait);
        }
        record.under_way += 1;
        self.make_room();
        Ok(())
    }

    /// Ends an attempt that [`begin`](Self::begin) allowed. `None`: it came to nothing, and does
    /// not count.
    pub fn end(&mut self, address: IpAddr, user: &str, now: i64, success: Option<bool>) {
        let key = pair(address, user);
        let (window, most) = (span(self.rules.window), self.rules.failures);
        let block = now.saturating_add(span(self.rules.block));
        let record = self.record(key);
        record.under_way = record.under_way.saturating_sub(1);
        match success {
            // What went before is forgotten.
            Some(true) => {
                record.failures.clear();
                record.blocked_until = None;
            }
            Some(false) => {
                // Times after now are from before the clock was set back: they count as now.
                record.failures.iter_mut().for_each(|time| *time = now.min(*time));
                record.failures.retain(|time| now.saturating_sub(*time) < window);
                record.failures.push(now);
                if record.failures.len() >= most {
                    record.failures.clear();
                    record.blocked_until = Some(block);
                }
            }
            None => {}
        }
        if record.is_empty() {
            self.forget(&key);
        }
        self.make_room();
    }

    // The record of a key, the youngest one from now on.
    fn record(&mut self, key: Key) -> &mut Record {
        let touched = self.touch(key);
        let record = self.entries.entry(key).or_default();
        record.touched = touched;
        record
    }

    /// Moves a key to the young end.
    fn touch(&mut self, key: Key) -> u64 {
        if let Some(record) = self.entries.get(&key) {
            self.by_age.remove(&record.touched);
        }
        self.failures_seen += 1;
        self.by_age.insert(self.failures_seen, key);
        self.failures_seen
    }

    fn make_room(&mut self) {
        while self.entries.len() > self.rules.entries
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some(record) = self.entries.remove(key) {
            self.by_age.remove(&record.touched);
        }
    }
}

/// A pair of address and user, as a digest.
pub(crate) fn pair(address: IpAddr, user: &str) -> Key {
    let mut hasher = blake3::Hasher::new();
    // One length for both families, so that no name can continue an address.
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    hasher.update(&address.octets());
    hasher.update(user.as_bytes());
    *hasher.finalize().as_bytes()
}

fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    fn seconds(seconds: i64) -> i64 {
        1_000_000_000 * MICROSECONDS + seconds * MICROSECONDS
    }

    /// Fails at each of these seconds.
    fn after(failures: impl IntoIterator<Item = i64>) -> Throttle {
        let mut throttle = Throttle::default();
        for second in failures {
            throttle.failed(HERE, "admin", seconds(second));
        }
        throttle
    }

    impl Throttle {
        fn failed(&mut self, address: IpAddr, user: &str, now: i64) {
            // Also where it would not have been allowed.
            self.end(address, user, now, Some(false));
        }

        fn check(&mut self, address: IpAddr, user: &str, now: i64) -> Result<(), Blocked> {
            match self.begin(address, user, now) {
                Ok(()) => {
                    self.end(address, user, now, None);
                    Ok(())
                }
                Err(Refused::Blocked(blocked)) => Err(blocked),
                Err(Refused::Wait) => panic!("nothing is under way"),
            }
        }
    }

    #[test]
    fn attempts_at_the_same_time_count_before_they_are_checked() {
        let mut throttle = after(0..3);
        for _ in 3..10 {
            assert_eq!(throttle.begin(HERE, "admin", seconds(3)), Ok(()));
        }
        assert_eq!(throttle.begin(HERE, "admin", seconds(3)), Err(Refused::Wait));
        assert_eq!(throttle.begin(HERE, "other", seconds(3)), Ok(()));
        throttle.end(HERE, "admin", seconds(3), None);
        assert_eq!(throttle.begin(HERE, "admin", seconds(3)), Ok(()));
        for _ in 3..10 {
            throttle.end(HERE, "admin", seconds(4), Some(false));
        }
        assert!(matches!(throttle.begin(HERE, "admin", seconds(4)), Err(Refused::Blocked(_))));
    }

    #[test]
    fn one_success_frees_those_who_wait() {
        let mut throttle = after(0..9);
        assert_eq!(throttle.begin(HERE, "admin", seconds(9)), Ok(()));
        assert_eq!(throttle.begin(HERE, "admin", seconds(9)), Err(Refused::Wait));
        throttle.end(HERE, "admin", seconds(9), Some(true));
        assert!(throttle.entries.is_empty() && throttle.by_age.is_empty());
        assert_eq!(throttle.begin(HERE, "admin", seconds(9)), Ok(()));
    }

    #[test]
    fn tenth_failure_blocks_for_five_minutes() {
        let mut throttle = after(0..9);
        assert_eq!(throttle.check(HERE, "admin", seconds(9)), Ok(()));
        throttle.failed(HERE, "admin", seconds(9));
        assert_eq!(throttle.check(HERE, "admin", seconds(9)), Err(Blocked { seconds_left: 300 }));
        assert_eq!(throttle.check(HERE, "admin", seconds(308)), Err(Blocked { seconds_left: 1 }));
        let last = seconds(309) - 1;
        assert_eq!(throttle.check(HERE, "admin", last), Err(Blocked { seconds_left: 1 }));
        assert_eq!(throttle.check(HERE, "admin", seconds(309)), Ok(()));
        assert!(throttle.entries.is_empty());
    }

    #[test]
    fn others_are_not_blocked() {
        let mut throttle = after(0..10);
        assert_eq!(throttle.check(THERE, "admin", seconds(10)), Ok(()));
        assert_eq!(throttle.check(HERE, "other", seconds(10)), Ok(()));
    }

    #[test]
    fn slow_failures_do_not_block() {
        let mut throttle = after((0..100).map(|number| number * 7));
        assert_eq!(throttle.check(HERE, "admin", seconds(700)), Ok(()));
    }

    #[test]
    fn success_clears() {
        let mut throttle = after(0..9);
        throttle.end(HERE, "admin", seconds(8), Some(true));
        throttle.failed(HERE, "admin", seconds(9));
        assert_eq!(throttle.check(HERE, "admin", seconds(9)), Ok(()));
    }

    #[test]
    fn clock_set_back_does_not_lengthen_a_block() {
        let mut throttle = after(0..10);
        let hour_ago = seconds(-3600);
        assert_eq!(throttle.check(HERE, "admin", hour_ago), Err(Blocked { seconds_left: 300 }));
        assert_eq!(throttle.check(HERE, "admin", seconds(-3600 + 300)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes() {
        let rules = ThrottleRules { failures: 2, entries: 3, ..ThrottleRules::default() };
        let mut throttle = Throttle::new(rules);
        for user in ["a", "b", "c", "a", "d"] {
            throttle.failed(HERE, user, seconds(0));
        }
        assert_eq!(throttle.entries.len(), 3);
        assert_eq!(throttle.by_age.len(), 3);
        assert!(throttle.check(HERE, "a", seconds(1)).is_err(), "failed twice, and lately");
        throttle.failed(HERE, "b", seconds(1));
        assert_eq!(throttle.check(HERE, "b", seconds(1)), Ok(()), "its first failure is forgotten");
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut throttle = Throttle::new(ThrottleRules { failures: 1, ..ThrottleRules::default() });
        throttle.failed(HERE, "admin", i64::MAX);
        assert_eq!(throttle.check(HERE, "admin", i64::MIN), Err(Blocked { seconds_left: 300 }));
        throttle.failed(HERE, "admin", i64::MIN);
        assert_eq!(throttle.check(HERE, "admin", i64::MAX), Ok(()));
    }
}
