//! Time is handed in.
//!
//! Session expiry, lock holders and revision times all ask this one trait, so that a test or a
//! virtual appliance can move time by hand. This is the only module that reads the machine's
//! clock (a lint holds that).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::revision::Timestamp;

/// What time it is.
pub trait Clock: Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that moves only by its own methods.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_micros()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A clock that runs with the machine's until somebody sets, stops or moves it. That of a world.
#[derive(Debug)]
pub struct AdjustableClock {
    // How far it is ahead of the machine's while it runs, in microseconds.
    ahead: AtomicI64,
    // Where it stands; `RUNS` while it does not.
    stands_at: AtomicI64,
    // By how much each request moves it.
    step: AtomicI64,
}

/// No moment that a clock could stand at.
const RUNS: i64 = i64::MIN;

impl Default for AdjustableClock {
    fn default() -> Self {
        let (ahead, stands_at) = (AtomicI64::new(0), AtomicI64::new(RUNS));
        Self { ahead, stands_at, step: AtomicI64::new(0) }
    }
}

impl AdjustableClock {
    /// The last moment that it can show and write: that of the calendar library, 9999-12-30T22:00:00Z.
    pub const LAST: Timestamp = Timestamp::from_micros(253_402_207_200_000_000);

    /// Another clock that shows the same time, and then goes its own way.
    #[must_use]
    pub fn copied(&self) -> Self {
        let copy = |value: &AtomicI64| AtomicI64::new(value.load(Ordering::SeqCst));
        let Self { ahead, stands_at, step } = self;
        Self { ahead: copy(ahead), stands_at: copy(stands_at), step: copy(step) }
    }

    /// Shows another time from now on, whether it runs or stands.
    pub fn set(&self, now: Timestamp) {
        let now = now.min(Self::LAST).as_micros();
        if self.is_frozen() {
            self.stands_at.store(now, Ordering::SeqCst);
        } else {
            let machine = SystemClock.now().as_micros();
            self.ahead.store(now.saturating_sub(machine), Ordering::SeqCst);
        }
    }

    /// Stops it where it is, or lets it run on from there.
    pub fn freeze(&self, frozen: bool) {
        let now = self.now();
        if frozen {
            self.stands_at.store(now.as_micros(), Ordering::SeqCst);
        } else if self.is_frozen() {
            let machine = SystemClock.now().as_micros();
            // First where it goes on, so that no other time is seen in between.
            self.ahead.store(now.as_micros().saturating_sub(machine), Ordering::SeqCst);
            self.stands_at.store(RUNS, Ordering::SeqCst);
        }
    }

    /// Whether it stands.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.stands_at.load(Ordering::SeqCst) != RUNS
    }

    /// By how much each request moves it.
    #[must_use]
    pub fn step(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.step.load(Ordering::Relaxed)).unwrap_or(0))
    }

    /// Moves by this much with each request from now on.
    pub fn set_step(&self, step: Duration) {
        let micros = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
        self.step.store(micros, Ordering::Relaxed);
    }
}

impl Clock for AdjustableClock {
    fn now(&self) -> Timestamp {
        match self.stands_at.load(Ordering::SeqCst) {
            RUNS => {
                let machine = SystemClock.now().as_micros();
                let now = machine.saturating_add(self.ahead.load(Ordering::SeqCst));
                Timestamp::from_micros(now).min(Self::LAST)
            }
            stands_at => Timestamp::from_micros(stands_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_clock_is_set_stopped_and_let_go() {
        let clock = AdjustableClock::default();
        let before = SystemClock.now();
        assert!(clock.now() >= before && !clock.is_frozen());
        clock.freeze(true);
        clock.set(at(1_000));
        let copy = clock.copied();
        assert_eq!((clock.now(), copy.now()), (at(1_000), at(1_000)));
        clock.set(at(2_000));
        clock.freeze(true);
        assert_eq!((clock.now(), copy.now()), (at(2_000), at(1_000)));
        clock.freeze(false);
        let now = clock.now();
        assert!(now >= at(2_000) && now < at(3_000), "{now}");
        clock.set(at(9_000));
        assert!(clock.now() >= at(9_000) && clock.now() < at(9_500));
        clock.set(Timestamp::from_micros(i64::MAX));
        assert_eq!(clock.now(), AdjustableClock::LAST);
        assert!(AdjustableClock::LAST.to_string().starts_with("9999-12-30T22:00:00"));
        clock.set_step(Duration::from_secs(5));
        assert_eq!((clock.step(), copy.step()), (Duration::from_secs(5), Duration::ZERO));
    }
}
