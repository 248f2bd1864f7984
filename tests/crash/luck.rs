//! Chance that can be repeated, and the two pauses of these tests.

use std::hash::{BuildHasher, RandomState};
use std::hint::spin_loop;
use std::thread;
use std::time::{Duration, Instant};

/// A small generator (SplitMix64). Its seed is printed when the test that owns it fails.
#[derive(Debug)]
pub(crate) struct Luck {
    seed: u64,
    state: u64,
}

impl Luck {
    /// Another one in each run, unless `BOXWOOD_CRASH_SEED` names one.
    pub(crate) fn new() -> Luck {
        let given = variable("BOXWOOD_CRASH_SEED");
        Luck::seeded(given.unwrap_or_else(|| RandomState::new().hash_one(0)))
    }

    pub(crate) fn seeded(seed: u64) -> Luck {
        Luck { seed, state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A moment before `end`.
    pub(crate) fn within(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.below(end.as_micros() as u64 + 1))
    }
}

impl Drop for Luck {
    #[expect(clippy::print_stderr, reason = "speaks to the person whose test failed")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the seed was BOXWOOD_CRASH_SEED={}", self.seed);
        }
    }
}

/// A number from the environment.
///
/// # Panics
///
/// When it is something else.
#[expect(clippy::disallowed_methods, reason = "settings of the test itself, not of the product")]
pub(crate) fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")))
}

/// Keeps the processor busy for a time that is too short to sleep.
#[expect(clippy::disallowed_methods, reason = "chooses when to kill; no outcome depends on it")]
pub(crate) fn dither(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        spin_loop();
    }
}

/// How long something took.
#[expect(clippy::disallowed_methods, reason = "chooses when to kill; no outcome depends on it")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let outcome = work();
    (outcome, start.elapsed())
}

/// Waits for a moment that polling with pauses would miss.
///
/// # Panics
///
/// When it does not come.
#[expect(clippy::disallowed_methods, reason = "a patience, as in `support::wait_for`")]
pub(crate) fn watch_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < support::PATIENCE, "watched in vain for {what}");
        thread::yield_now();
    }
}
