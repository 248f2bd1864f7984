//! What a login has to pass before its password is looked at: the throttle, and a place in the queue
//! of those whose passwords are being hashed.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::fair_queue::Lane;
use crate::throttle::{Blocked, Counters, Refused, Throttle, ThrottleRules, pair};
use crate::transport::network;

/// The number of pairs of network and user that are remembered to have been right.
const KNOWN: usize = 4_096;

/// Guards the logins of one appliance.
pub(crate) struct LoginGate {
    // Waits are counted from here by a steady clock, so that setting the time changes none.
    started: Instant,
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
    counters: Counters,
    result: Option<bool>,
    settled: bool,
}

impl LoginGate {
    pub(crate) fn new(rules: ThrottleRules) -> Self {
        let (throttle, known) = (Mutex::new(Throttle::new(rules)), Mutex::default());
        Self { started: Instant::now(), throttle, ended: Notify::new(), known }
    }

    /// Begins a login. Waits while as many are under way as may fail.
    ///
    /// # Errors
    /// There were too many failures.
    pub(crate) async fn begin(&self, address: IpAddr, user: &str) -> Result<Attempt<'_>, Blocked> {
        let network = network(address);
        let known = self.known.lock().pairs.contains(&pair(network, user));
        let counters = Counters::new(network, user, known);
        loop {
            let ended = self.ended.notified();
            let mut ended = std::pin::pin!(ended);
            // Before looking, so that no end is missed.
            ended.as_mut().enable();
            let begun = self.throttle.lock().begin(&counters, self.now());
            match begun {
                Ok(()) => {
                    return Ok(Attempt { gate: self, counters, result: None, settled: false });
                }
                Err(Refused::Blocked(blocked)) => return Err(blocked),
                Err(Refused::Wait) => ended.await,
            }
        }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

impl Attempt<'_> {
    /// Where the login waits for its password to be hashed.
    pub(crate) fn lane(&self) -> Lane {
        let id = self.counters.pair;
        Lane { id, known: self.gate.known.lock().pairs.contains(&id) }
    }

    /// Ends the login with its result. Whether it was the one too many, after which its network
    /// and user have to wait.
    pub(crate) fn end(mut self, success: bool) -> bool {
        self.result = Some(success);
        if success {
            self.gate.known.lock().remember(self.counters.pair);
        }
        self.settle()
    }

    /// Gives the result to the throttle, once.
    fn settle(&mut self) -> bool {
        let Self { gate, counters, result, settled } = self;
        if std::mem::replace(settled, true) {
            return false;
        }
        let blocked = gate.throttle.lock().end(counters, gate.now(), *result);
        gate.ended.notify_waiters();
        blocked
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.settle();
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
    use std::sync::Arc;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn of_a_hundred_wrong_guesses_at_once_ten_are_looked_at() {
        let gate = Arc::new(LoginGate::new(ThrottleRules::default()));
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
        let gate = LoginGate::new(ThrottleRules::default());
        let attempt = gate.begin(HERE, "admin").await.unwrap();
        assert!(!attempt.lane().known);
        attempt.end(true);
        assert!(gate.begin(HERE, "admin").await.unwrap().lane().known);
        let there = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        assert!(!gate.begin(there, "admin").await.unwrap().lane().known);
    }
}
