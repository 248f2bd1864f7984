//! The time of a world: shown, set, stopped, moved; what becomes due on the way is done in its order.

use std::sync::Arc;
use std::time::Duration;

use transaction_engine::Timestamp;
use transaction_engine::clock::{AdjustableClock, Clock};

use super::{World, WorldRefusal};
use crate::appliance::Appliance;

/// What is to become of a world's time; what is `None` stays.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct TimeChange {
    pub(crate) now: Option<Timestamp>,
    pub(crate) advance: Duration,
    pub(crate) frozen: Option<bool>,
    pub(crate) step: Option<Duration>,
}

impl World {
    /// Changes the time. A clock that is to stand stands first, so that it shows exactly what it is
    /// set to. What is due by the new time has been done when this returns: session by session and
    /// commit by commit, each at its own moment. Waits for the store in `main`, so not for a
    /// runtime's thread.
    pub(crate) fn change_time(&self, change: TimeChange) -> Result<(), WorldRefusal> {
        let clock = self.clock.as_ref().ok_or(WorldRefusal::RealTime)?;
        let _one = self.moving.lock();
        let TimeChange { now, advance, frozen, step } = change;
        let target = now.unwrap_or_else(|| clock.now()).plus(advance);
        if target > AdjustableClock::LAST {
            return Err(WorldRefusal::TooLate);
        }
        if frozen == Some(true) {
            clock.freeze(true);
        }
        match now {
            // Back in time nothing becomes due.
            Some(now) if now < clock.now() => clock.set(now),
            Some(now) => self.move_to(clock, now),
            None => {}
        }
        if advance > Duration::ZERO {
            self.move_to(clock, clock.now().plus(advance));
        }
        if frozen == Some(false) {
            clock.freeze(false);
        }
        if let Some(step) = step {
            clock.set_step(step);
        }
        // Those that sleep until a moment look at the clock again.
        self.appliances.iter().for_each(|appliance| appliance.logins.wake());
        Ok(())
    }

    /// Moves the clock by its step, where it has one.
    pub(crate) fn step_time(&self) {
        let Some(clock) = &self.clock else { return };
        let step = clock.step();
        if step > Duration::ZERO {
            let _one = self.moving.lock();
            self.move_to(clock, clock.now().plus(step));
        }
    }

    fn move_to(&self, clock: &AdjustableClock, target: Timestamp) {
        let due = || self.appliances.iter().filter_map(|appliance| appliance.next_due()).min();
        let mut last = None;
        while let Some(next) = due()
            && next <= target
            // What could not be done stays due.
            && last != Some((next, self.pending()))
        {
            last = Some((next, self.pending()));
            if next > clock.now() {
                clock.set(next);
            }
            self.settle();
        }
        if target > clock.now() {
            clock.set(target);
        }
    }

    // How much there is that may become due.
    fn pending(&self) -> usize {
        let count = |appliance: &Arc<Appliance>| {
            appliance.logins.count() + usize::from(appliance.engine.next_deadline().is_some())
        };
        self.appliances.iter().map(count).sum()
    }

    /// Does what is due.
    pub(super) fn settle(&self) {
        self.appliances.iter().for_each(|appliance| appliance.settle_now());
    }
}
