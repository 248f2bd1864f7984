//! Messages to the service manager that started the daemon (sd_notify): ready, stopping, and that
//! it is alive. Without a manager, which is without `NOTIFY_SOCKET`, they go nowhere.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinHandle;

/// The connection with the service manager; the watchdog stops with the value.
pub struct Supervisor {
    watchdog: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Reports that requests are accepted, and from now on, where the manager asked for it, that
    /// the runtime which answers them still runs.
    #[must_use]
    pub fn ready(addresses: &[String]) -> Self {
        let status = format!("Accepting requests on {}", addresses.join(", "));
        notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
        let watchdog = sd_notify::watchdog_enabled().map(|allowed| tokio::spawn(watch(allowed)));
        Self { watchdog }
    }

    /// Reports that the daemon has begun to stop. The watchdog goes on: a stop can hang, too.
    pub fn stopping(&self) {
        notify(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.abort();
        }
    }
}

/// Reports every half of the allowed time, as systemd recommends.
async fn watch(allowed: Duration) {
    let mut interval = tokio::time::interval((allowed / 2).max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        // The daemon serves its clients all the same; the manager will say what it misses.
        tracing::warn!(%error, "cannot notify the service manager");
    }
}
