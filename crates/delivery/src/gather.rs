//! Keeps a flood of equal events from becoming a flood of mails: the first ones of a time go out at
//! once, those that follow within it go out together at its end.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::event::{Event, EventKind};

/// Events on their way to mail and traps.
pub(crate) struct Gathering {
    time: Duration,
    at_once: u64,
    open: BTreeMap<EventKind, Window>,
}

struct Window {
    until: Instant,
    passed: u64,
    held: u64,
    last: Option<Event>,
}

impl Gathering {
    /// Gathers over a time what exceeds a number of events.
    pub(crate) fn new(time: Duration, at_once: u64) -> Self {
        Self { time, at_once, open: BTreeMap::new() }
    }

    /// The event itself where it goes out at once.
    pub(crate) fn take(&mut self, event: Event, now: Instant) -> Option<Event> {
        if self.time.is_zero() || !is_gathered(event.kind) {
            return Some(event);
        }
        let fresh = || Window { until: now + self.time, passed: 0, held: 0, last: None };
        let window = self.open.entry(event.kind).or_insert_with(fresh);
        if window.held == 0 && window.passed < self.at_once {
            window.passed += 1;
            return Some(event);
        }
        window.held += 1;
        window.last = Some(event);
        None
    }

    /// When something may be due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.open.values().map(|window| window.until).min()
    }

    /// What is due; with `None` for the time, all that is held.
    pub(crate) fn ripe(&mut self, now: Option<Instant>) -> Vec<Event> {
        let mut out = Vec::new();
        let time = self.time;
        self.open.retain(|_, window| {
            if now.is_some_and(|now| window.until > now) {
                return true;
            }
            let Some(last) = window.last.take() else { return false };
            out.push(together(last, window.held));
            // What went out together counts as all that may go at once.
            (window.held, window.passed) = (0, u64::MAX);
            window.until += time;
            true
        });
        out
    }
}

/// What others can cause as often as they like.
fn is_gathered(kind: EventKind) -> bool {
    matches!(kind, EventKind::Commit | EventKind::LoginRefused | EventKind::LoginBlocked)
}

fn together(last: Event, count: u64) -> Event {
    if count == 1 {
        return last;
    }
    let Event { time, kind, text, details } = last;
    let name = kind.name();
    let mut event = Event::new(time, kind, format!("{count} more events {name}; the last: {text}"));
    event.details = details;
    event.with("count", count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_goes_at_once_and_the_others_together() {
        let minute = Duration::from_secs(60);
        let mut gathering = Gathering::new(minute, 1);
        let commit = |n: u32| Event::new(0, EventKind::Commit, format!("Revision {n}"));
        let start = Instant::now();
        assert!(gathering.take(commit(1), start).is_some());
        assert!(gathering.take(commit(2), start).is_none());
        assert!(gathering.take(commit(3), start).is_none());
        // Another kind does not wait, and one that is never gathered neither.
        assert!(gathering.take(Event::new(0, EventKind::LoginBlocked, "x"), start).is_some());
        for _ in 0..2 {
            assert!(gathering.take(Event::new(0, EventKind::HealthLimit, "x"), start).is_some());
        }
        assert_eq!(gathering.ripe(Some(start)), []);
        let later = start + minute;
        let ripe = gathering.ripe(Some(later));
        assert_eq!(ripe.len(), 1);
        assert_eq!(ripe[0].text, "2 more events commit; the last: Revision 3");
        // Still gathered after that, and at once again after a quiet time.
        assert!(gathering.take(commit(4), later).is_none());
        assert_eq!(gathering.ripe(None)[0].text, "Revision 4");
        assert_eq!(gathering.ripe(Some(later + 2 * minute)), []);
        assert!(gathering.take(commit(5), later + 2 * minute).is_some());
    }
}
