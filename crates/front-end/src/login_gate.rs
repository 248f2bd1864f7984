//! What a login has to pass before its password is looked at: the throttle, and a place in the queue
//! of those whose passwords are being hashed.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use transaction_engine::clock::Clock;

use crate::fair_queue::Lane;
use crate::throttle::{Blocked, Refused, Throttle, ThrottleRules, pair};

/// The number of pairs of address and user that are remembered to have been right.
const KNOWN: usize = 4_096;

/// Guards the logins of one appliance.
pub(crate) struct LoginGate {
    clock: Arc<dyn Clock>,
    throttle: Mutex<Throttle>,
    // Wakes those who wait for an attempt to end.
    ended: Notify,
    known: Mutex<Known>,
}

/// Who was right before, the oldest first.
#[derive(Default)]
struct Known {
    pairs: HashSet<[u8; 32]>,
    by_age: VecDeque<[u8; 32]>,
}

/// A login whose password may be looked at. Dropped without a result, it does not count.
pub(crate) struct Attempt<'a> {
    gate: &'a LoginGate,
    address: IpAddr,
    user: &'a str,
    result: Option<bool>,
}

impl LoginGate {
    pub(crate) fn new(rules: ThrottleRules, clock: Arc<dyn Clock>) -> Self {
        let (throttle, known) = (Mutex::new(Throttle::new(rules)), Mutex::default());
        Self { clock, throttle, ended: Notify::new(), known }
    }

    /// Begins a login. Waits while as many are under way as may fail.
    ///
    /// # Errors
    /// There were too many failures.
    pub(crate) async fn begin<'a>(
        &'a self,
        address: IpAddr,
        user: &'a str,
    ) -> Result<Attempt<'a>, Blocked> {
        loop {
            let ended = self.ended.notified();
            let mut ended = std::pin::pin!(ended);
            // Before looking, so that no end is missed.
            ended.as_mut().enable();
            let begun = self.throttle.lock().begin(address, user, self.now());
            match begun {
                Ok(()) => return Ok(Attempt { gate: self, address, user, result: None }),
                Err(Refused::Blocked(blocked)) => return Err(blocked),
                Err(Refused::Wait) => ended.await,
            }
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_micros()
    }
}

impl Attempt<'_> {
    /// Where the login waits for its password to be hashed.
    pub(crate) fn lane(&self) -> Lane {
        let id = pair(self.address, self.user);
        Lane { id, known: self.gate.known.lock().pairs.contains(&id) }
    }

    /// Ends the login with its result.
    pub(crate) fn end(mut self, success: bool) {
        self.result = Some(success);
        if success {
            self.gate.known.lock().remember(pair(self.address, self.user));
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let Self { gate, address, user, result } = self;
        gate.throttle.lock().end(*address, user, gate.now(), *result);
        gate.ended.notify_waiters();
    }
}

impl Known {
    fn remember(&mut self, pair: [u8; 32]) {
        if !self.pairs.insert(pair) {
            return;
        }
        self.by_age.push_back(pair);
        if self.by_age.len() > KNOWN
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.pairs.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use transaction_engine::clock::SystemClock;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn of_a_hundred_wrong_guesses_at_once_ten_are_looked_at() {
        let gate = Arc::new(LoginGate::new(ThrottleRules::default(), Arc::new(SystemClock)));
        let guesses: Vec<_> = (0..100)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    let attempt = gate.begin(HERE, "admin").await?;
                    // As long as others need to begin.
                    tokio::task::yield_now().await;
                    attempt.end(false);
                    Ok::<_, Blocked>(())
                })
            })
            .collect();
        let mut looked_at = 0;
        for guess in guesses {
            looked_at += usize::from(guess.await.unwrap().is_ok());
        }
        assert_eq!(looked_at, 10);
    }

    #[tokio::test]
    async fn whoever_was_right_is_known_there_and_nowhere_else() {
        let gate = LoginGate::new(ThrottleRules::default(), Arc::new(SystemClock));
        let attempt = gate.begin(HERE, "admin").await.unwrap();
        assert!(!attempt.lane().known);
        attempt.end(true);
        assert!(gate.begin(HERE, "admin").await.unwrap().lane().known);
        let there = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        assert!(!gate.begin(there, "admin").await.unwrap().lane().known);
    }
}
