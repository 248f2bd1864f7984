//! Slows down those who guess passwords.
//!
//! Failures are counted three times: for a user from one network, for a user from anywhere, and for
//! a network whatever the user. The first one bears few failures, the others ten times as many. With
//! too many, the next attempt has to wait, and after each further failure twice as long, up to a
//! limit. So guessing is slow wherever it comes from, and no user is shut out for long by others.
//! Those who were right before from their network wait for their own failures only.
//!
//! Nothing here reads a clock or waits: time comes in as microseconds of a steady clock, so that a
//! test runs through an hour in a microsecond.
//!
//! An attempt counts from the moment it begins: of attempts at the same time no more are checked than
//! one after the other.
//!
//! Names come from strangers and may be long, so a counter has a digest of fixed size as its key, and
//! a bounded number of counters is kept: the one that failed longest ago makes room.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

const MICROSECONDS: i64 = 1_000_000;

/// The wait after the first failure too many.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// How many times as many failures a user may have from anywhere, and a network with any user.
const MORE: usize = 10;

/// Number of the longest waits that must pass without a failure before waits begin small again.
const MEMORY: i64 = 10;

/// When a login has to wait, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleRules {
    /// Failures within the window after which attempts have to wait, a count; 0: they never have.
    pub failures: usize,
    /// The window.
    pub window: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// Most counters kept, a count.
    pub entries: usize,
}

impl Default for ThrottleRules {
    fn default() -> Self {
        let (window, longest) = (Duration::from_secs(60), Duration::from_secs(30));
        Self { failures: 10, window, longest, entries: 20_000 }
    }
}

/// The failed logins of late.
#[derive(Debug, Default)]
pub struct Throttle {
    rules: ThrottleRules,
    entries: HashMap<Key, Record>,
    /// Every key of `entries` under its `touched`, for finding the oldest.
    by_age: BTreeMap<u64, Key>,
    /// Counts uses of counters, as an age.
    uses: u64,
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

/// Which counters an attempt uses.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    /// The user from the network.
    pub(crate) pair: Key,
    others: Option<[Key; 2]>,
}

impl Counters {
    /// Those of an attempt from a network. One `known` to have been right from there is counted
    /// for itself alone.
    pub(crate) fn new(network: IpAddr, user: &str, known: bool) -> Self {
        let others = || [digest(None, Some(user)), digest(Some(network), None)];
        Self { pair: pair(network, user), others: (!known).then(others) }
    }

    // Each with the factor of what it bears.
    fn all(&self) -> impl Iterator<Item = (Key, usize)> {
        let others = self.others.into_iter().flatten().map(|key| (key, MORE));
        std::iter::once((self.pair, 1)).chain(others)
    }
}

#[derive(Debug, Default)]
struct Record {
    /// Times of the failures within the window, oldest first; empty once there were too many.
    failures: Vec<i64>,
    /// How many attempts have begun and not ended.
    under_way: usize,
    /// The number of failures since there were too many; the waits grow with it.
    excess: u32,
    /// When the last failure was, and until when attempts have to wait after it.
    last: i64,
    until: i64,
    touched: u64,
}

impl Record {
    fn is_empty(&self) -> bool {
        self.failures.is_empty() && self.under_way == 0 && self.excess == 0
    }

    /// Forgets what no longer counts.
    fn age(&mut self, rules: &ThrottleRules, now: i64) {
        let (window, longest) = (span(rules.window), span(rules.longest));
        self.failures.retain(|time| now.saturating_sub(*time) < window);
        if now.saturating_sub(self.last) >= longest.saturating_mul(MEMORY).max(window) {
            (self.excess, self.until) = (0, 0);
        }
    }

    /// How many attempts may be under way.
    fn room(&self, most: usize) -> usize {
        match self.excess {
            0 => most.saturating_sub(self.failures.len()),
            _ => 1,
        }
    }

    fn fail(&mut self, rules: &ThrottleRules, most: usize, now: i64) {
        self.last = now;
        if self.excess == 0 {
            self.failures.push(now);
            if self.failures.len() < most {
                return;
            }
            self.failures.clear();
        }
        self.excess = self.excess.saturating_add(1);
        let doubled = span(FIRST_DELAY).checked_shl(self.excess - 1).filter(|delay| *delay > 0);
        let delay = doubled.filter(|_| self.excess < 32).unwrap_or(i64::MAX);
        self.until = now.saturating_add(delay.min(span(rules.longest)));
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
    /// [`Refused::Blocked`]; [`Refused::Wait`] while attempts are under way such that one more
    /// could be one too many.
    pub(crate) fn begin(&mut self, counters: &Counters, now: i64) -> Result<(), Refused> {
        if self.rules.failures == 0 {
            return Ok(());
        }
        let (mut until, mut is_full) = (now, false);
        for (key, factor) in counters.all() {
            let most = self.rules.failures.saturating_mul(factor);
            if let Some(record) = self.entries.get_mut(&key) {
                record.age(&self.rules, now);
                until = until.max(record.until);
                is_full |= record.under_way > 0 && record.under_way >= record.room(most);
                if record.is_empty() {
                    self.forget(&key);
                }
            }
        }
        if until > now {
            let left = until.saturating_sub(now).saturating_add(MICROSECONDS - 1);
            let seconds_left = u32::try_from(left / MICROSECONDS).unwrap_or(u32::MAX);
            return Err(Refused::Blocked(Blocked { seconds_left }));
        }
        if is_full {
            return Err(Refused::Wait);
        }
        counters.all().for_each(|(key, _)| self.record(key).under_way += 1);
        self.make_room();
        Ok(())
    }

    /// Ends an attempt that [`begin`](Self::begin) allowed. `None`: it came to nothing, and does
    /// not count. Whether one of its counters has had its first failure too many.
    pub(crate) fn end(&mut self, counters: &Counters, now: i64, success: Option<bool>) -> bool {
        if self.rules.failures == 0 {
            return false;
        }
        let mut begins_to_block = false;
        for (key, factor) in counters.all() {
            let rules = self.rules;
            let record = self.record(key);
            record.under_way = record.under_way.saturating_sub(1);
            record.age(&rules, now);
            match success {
                // What went before is forgotten, except what others may have done.
                Some(true) if factor == 1 => {
                    record.failures.clear();
                    (record.excess, record.until) = (0, 0);
                }
                Some(false) => {
                    record.fail(&rules, rules.failures.saturating_mul(factor), now);
                    begins_to_block |= record.excess == 1;
                }
                Some(true) | None => {}
            }
            if record.is_empty() {
                self.forget(&key);
            }
        }
        self.make_room();
        begins_to_block
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
        self.uses += 1;
        self.by_age.insert(self.uses, key);
        self.uses
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

/// A pair of network and user, as a digest.
pub(crate) fn pair(network: IpAddr, user: &str) -> Key {
    digest(Some(network), Some(user))
}

fn digest(network: Option<IpAddr>, user: Option<&str>) -> Key {
    let mut hasher = blake3::Hasher::new();
    // One length for all, so that no name can continue an address.
    hasher.update(&[u8::from(network.is_some()), u8::from(user.is_some())]);
    let octets = network.map(|network| match network {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    });
    hasher.update(&octets.unwrap_or_default());
    hasher.update(user.unwrap_or_default().as_bytes());
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

    fn by(network: IpAddr, user: &str) -> Counters {
        Counters::new(network, user, false)
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
        fn failed(&mut self, network: IpAddr, user: &str, now: i64) {
            // Also where it would not have been allowed.
            self.end(&by(network, user), now, Some(false));
        }

        fn check(&mut self, network: IpAddr, user: &str, now: i64) -> Result<(), u32> {
            self.check_of(&by(network, user), now)
        }

        fn check_of(&mut self, counters: &Counters, now: i64) -> Result<(), u32> {
            match self.begin(counters, now) {
                Ok(()) => {
                    self.end(counters, now, None);
                    Ok(())
                }
                Err(Refused::Blocked(blocked)) => Err(blocked.seconds_left),
                Err(Refused::Wait) => panic!("nothing is under way"),
            }
        }
    }

    #[test]
    fn attempts_at_the_same_time_count_before_they_are_checked() {
        let mut throttle = after(0..3);
        let admin = by(HERE, "admin");
        for _ in 3..10 {
            assert_eq!(throttle.begin(&admin, seconds(3)), Ok(()));
        }
        assert_eq!(throttle.begin(&admin, seconds(3)), Err(Refused::Wait));
        assert_eq!(throttle.begin(&by(HERE, "other"), seconds(3)), Ok(()));
        throttle.end(&admin, seconds(3), None);
        assert_eq!(throttle.begin(&admin, seconds(3)), Ok(()));
        for _ in 3..10 {
            throttle.end(&admin, seconds(4), Some(false));
        }
        assert!(matches!(throttle.begin(&admin, seconds(4)), Err(Refused::Blocked(_))));
        // After the wait, one at a time.
        assert_eq!(throttle.begin(&admin, seconds(5)), Ok(()));
        assert_eq!(throttle.begin(&admin, seconds(5)), Err(Refused::Wait));
    }

    #[test]
    fn one_success_frees_those_who_wait() {
        let mut throttle = after(0..9);
        let admin = by(HERE, "admin");
        assert_eq!(throttle.begin(&admin, seconds(9)), Ok(()));
        assert_eq!(throttle.begin(&admin, seconds(9)), Err(Refused::Wait));
        throttle.end(&admin, seconds(9), Some(true));
        assert_eq!(throttle.begin(&admin, seconds(9)), Ok(()));
    }

    #[test]
    fn waits_grow_to_their_limit_and_are_forgotten() {
        let mut throttle = after(0..9);
        assert_eq!(throttle.check(HERE, "admin", seconds(9)), Ok(()));
        let mut now = seconds(9);
        for wait in [1, 2, 4, 8, 16, 30, 30] {
            throttle.failed(HERE, "admin", now);
            assert_eq!(throttle.check(HERE, "admin", now), Err(wait));
            now += i64::from(wait) * MICROSECONDS;
            assert_eq!(throttle.check(HERE, "admin", now - 1), Err(1));
            assert_eq!(throttle.check(HERE, "admin", now), Ok(()));
        }
        throttle.failed(HERE, "admin", now + 200 * MICROSECONDS);
        assert_eq!(throttle.check(HERE, "admin", now + 200 * MICROSECONDS), Err(30));
        throttle.failed(HERE, "admin", now + 500 * MICROSECONDS);
        assert_eq!(throttle.check(HERE, "admin", now + 500 * MICROSECONDS), Ok(()));
        assert_eq!(throttle.check(HERE, "admin", now + 1_000 * MICROSECONDS), Ok(()));
        assert!(throttle.entries.is_empty() && throttle.by_age.is_empty());
    }

    #[test]
    fn others_do_not_wait() {
        let mut throttle = after([0; 10]);
        assert_eq!(throttle.check(THERE, "admin", seconds(0)), Ok(()));
        assert_eq!(throttle.check(HERE, "other", seconds(0)), Ok(()));
    }

    #[test]
    fn guesses_from_everywhere_make_strangers_wait_and_not_those_who_were_right() {
        let mut throttle = Throttle::default();
        let network = |n: u8| IpAddr::from([192, 0, 2, n]);
        for n in 0..100 {
            assert_eq!(throttle.check(network(n), "admin", seconds(1)), Ok(()), "{n}");
            throttle.failed(network(n), "admin", seconds(1));
        }
        assert_eq!(throttle.check(HERE, "admin", seconds(1)), Err(1));
        assert_eq!(throttle.check_of(&Counters::new(HERE, "admin", true), seconds(1)), Ok(()));
        assert_eq!(throttle.check(HERE, "other", seconds(1)), Ok(()));
        // Another success does not help those who guess.
        throttle.end(&by(network(7), "admin"), seconds(1), Some(true));
        assert_eq!(throttle.check(HERE, "admin", seconds(1)), Err(1));
    }

    #[test]
    fn one_password_for_many_users_makes_their_network_wait() {
        let mut throttle = Throttle::default();
        for n in 0..100 {
            throttle.failed(HERE, &n.to_string(), seconds(1));
        }
        assert_eq!(throttle.check(HERE, "another", seconds(1)), Err(1));
        assert_eq!(throttle.check(THERE, "another", seconds(1)), Ok(()));
    }

    #[test]
    fn slow_failures_do_not_count() {
        let mut throttle = after((0..100).map(|number| number * 7));
        assert_eq!(throttle.check(HERE, "admin", seconds(700)), Ok(()));
    }

    #[test]
    fn success_clears() {
        let mut throttle = after(0..9);
        throttle.end(&by(HERE, "admin"), seconds(8), Some(true));
        throttle.failed(HERE, "admin", seconds(9));
        assert_eq!(throttle.check(HERE, "admin", seconds(9)), Ok(()));
    }

    #[test]
    fn it_can_be_off() {
        let mut throttle = Throttle::new(ThrottleRules { failures: 0, ..ThrottleRules::default() });
        (0..1_000).for_each(|_| throttle.failed(HERE, "admin", seconds(0)));
        assert_eq!(throttle.check(HERE, "admin", seconds(0)), Ok(()));
        assert!(throttle.entries.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes() {
        let rules = ThrottleRules { failures: 2, entries: 3, ..ThrottleRules::default() };
        let mut throttle = Throttle::new(rules);
        let known = |user: &str| Counters::new(HERE, user, true);
        for user in ["a", "b", "c", "a", "d"] {
            throttle.end(&known(user), seconds(0), Some(false));
        }
        assert_eq!(throttle.entries.len(), 3);
        assert_eq!(throttle.by_age.len(), 3);
        assert!(throttle.check_of(&known("a"), seconds(0)).is_err(), "failed twice, and lately");
        throttle.end(&known("b"), seconds(0), Some(false));
        assert_eq!(throttle.check_of(&known("b"), seconds(0)), Ok(()), "its first is forgotten");
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut throttle = Throttle::new(ThrottleRules { failures: 1, ..ThrottleRules::default() });
        for _ in 0..100 {
            throttle.failed(HERE, "admin", i64::MAX);
        }
        assert!(throttle.check(HERE, "admin", i64::MIN).is_err());
        throttle.failed(HERE, "admin", i64::MIN);
    }
}
