//! How delivery behaves.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::configuration::Source;
use crate::dial::Mode;
use crate::health::Probe;

/// What the daemon's settings say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What happens to messages.
    pub mode: Mode,
    /// The port of mail servers.
    pub smtp_port: u16,
    /// The port of those who get traps.
    pub trap_port: u16,
    /// How many messages may wait.
    pub queue_messages: usize,
    /// The age at which a message is given up, after an attempt.
    pub max_age: Duration,
    /// The wait after the first failed attempt; it doubles with each further one, up to an hour.
    pub retry: Duration,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How many messages the outbox keeps.
    pub outbox_messages: usize,
    /// The time over which equal events are gathered to one mail and one trap; zero is never.
    pub gather: Duration,
    /// The number of equal events in that time that go out one by one before.
    pub gather_after: u64,
    /// How often health is measured; zero is never.
    pub health_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Record,
            smtp_port: 25,
            trap_port: 162,
            queue_messages: 10_000,
            max_age: Duration::from_secs(2 * 86_400),
            retry: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
            outbox_messages: 1_000,
            gather: Duration::from_secs(60),
            gather_after: 100,
            health_every: Duration::ZERO,
        }
    }
}

/// The time in microseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What delivery is made of.
pub struct Parts {
    /// The name of the appliance.
    pub appliance: String,
    /// How it behaves.
    pub settings: Settings,
    /// Where the queue is kept; `None`: in memory.
    pub place: Option<PathBuf>,
    /// Where the configuration comes from.
    pub source: Arc<dyn Source>,
    /// What time it is.
    pub clock: Clock,
    /// Measures health.
    pub probe: Arc<dyn Probe>,
}
