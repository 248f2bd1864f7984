//! The work that goes on for as long as an appliance runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::configuration::Way;
use crate::delivery::Delivery;
use crate::dial::Mode;
use crate::event::Event;
use crate::gather::Gathering;

/// The longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(3_600);
/// The number of events that become messages together: one write, one sync.
const AT_ONCE: usize = 64;

/// The ways by which single events go, and those by which gathered ones go.
const EVERY: &[Way] = &[Way::Syslog];
const GATHERED: &[Way] = &[Way::Mail, Way::Trap];

impl Delivery {
    /// Works until [`Delivery::stop`]; then writes what is left into the queue.
    pub async fn run(self: Arc<Self>) {
        let mut incoming = self.incoming.lock().await;
        let mut gathering = Gathering::new(self.settings().gather);
        let mut lanes = Lanes::default();
        let every = self.settings().health_every;
        let mut ticks = interval(if every.is_zero() { LONGEST } else { every });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        lanes.begin(&self);
        loop {
            let due = gathering.due().unwrap_or_else(|| Instant::now() + LONGEST);
            tokio::select! {
                () = self.stopping.notified() => break,
                Some(first) = incoming.recv() => {
                    let events = together(first, &mut incoming);
                    self.sort_out(events, &mut gathering).await;
                }
                () = sleep_until(due) => {
                    let ripe = gathering.ripe(Some(Instant::now()));
                    self.send_gathered(ripe).await;
                }
                _ = ticks.tick(), if !every.is_zero() => self.measure().await,
                () = self.news.notified() => lanes.begin(&self),
                Some(ended) = lanes.tasks.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    lanes.busy.retain(|_, busy| *busy != id);
                    // For what came while it ended.
                    lanes.begin(&self);
                }
            }
        }
        if let Ok(first) = incoming.try_recv() {
            let events = together(first, &mut incoming);
            self.sort_out(events, &mut gathering).await;
        }
        self.send_gathered(gathering.ripe(None)).await;
    }

    /// Ends [`Delivery::run`].
    pub fn stop(&self) {
        self.stopping.notify_one();
    }

    async fn sort_out(&self, events: Vec<Event>, gathering: &mut Gathering) {
        let now = Instant::now();
        let mut sorted: Vec<(Event, &[Way])> = Vec::new();
        for event in events {
            sorted.push((event.clone(), EVERY));
            sorted.extend(gathering.take(event, now).map(|event| (event, GATHERED)));
        }
        self.dispatch(&sorted).await;
    }

    async fn send_gathered(&self, events: Vec<Event>) {
        let gathered: Vec<(Event, &[Way])> =
            events.into_iter().map(|event| (event, GATHERED)).collect();
        if !gathered.is_empty() {
            self.dispatch(&gathered).await;
        }
    }

    /// Sends what waits in a lane, in its order, until nothing is left.
    async fn work(self: Arc<Self>, lane: String) {
        let mut failures = 0u32;
        while let Some(message) = self.queue.first(&lane) {
            let attempt = self.attempt(&message).await;
            if !self.settle(&message, attempt).await {
                failures = 0;
                continue;
            }
            tokio::time::sleep(self.backoff(failures)).await;
            failures = failures.saturating_add(1);
        }
    }

    fn backoff(&self, failures: u32) -> Duration {
        let factor = 2u32.saturating_pow(failures.min(20));
        self.settings().retry.saturating_mul(factor).min(LONGEST)
    }
}

fn together(first: Event, incoming: &mut mpsc::Receiver<Event>) -> Vec<Event> {
    let mut events = vec![first];
    while events.len() < AT_ONCE {
        let Ok(event) = incoming.try_recv() else { break };
        events.push(event);
    }
    events
}

/// The lanes that are worked on, a task each; they end with the value.
#[derive(Default)]
struct Lanes {
    tasks: JoinSet<()>,
    busy: BTreeMap<String, Id>,
}

impl Lanes {
    fn begin(&mut self, delivery: &Arc<Delivery>) {
        // What waits from a start in another mode stays where it is.
        if delivery.settings().mode == Mode::Record {
            return;
        }
        for lane in delivery.queue.lanes() {
            if !self.busy.contains_key(&lane) {
                let task = self.tasks.spawn(Arc::clone(delivery).work(lane.clone()));
                self.busy.insert(lane, task.id());
            }
        }
    }
}
