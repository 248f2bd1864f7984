//! The work that goes on for as long as an appliance runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::configuration::Way;
use crate::delivery::{AT_ONCE, Delivery, Item};
use crate::dial::Mode;
use crate::event::Event;

/// The longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(3_600);
/// The ways by which single events go, and those by which gathered ones go.
const EVERY: &[Way] = &[Way::Syslog];
const GATHERED: &[Way] = &[Way::Mail, Way::Trap];

impl Delivery {
    /// Works until [`Delivery::stop`]; then writes what is left into the queue.
    pub async fn run(self: Arc<Self>) {
        let mut incoming = self.incoming.lock().await;
        let mut lanes = Lanes::default();
        let every = self.settings().health_every;
        let mut ticks = interval(if every.is_zero() { LONGEST } else { every });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        lanes.begin(&self);
        loop {
            let due = self.gathering.lock().due().unwrap_or_else(|| Instant::now() + LONGEST);
            tokio::select! {
                () = self.stopping.notified() => break,
                Some(first) = incoming.recv() => self.take_in(first, &mut incoming).await,
                () = sleep_until(due) => {
                    let ripe = self.gathering.lock().ripe(Some(Instant::now()));
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
        while let Ok(item) = incoming.try_recv() {
            self.take_in(item, &mut incoming).await;
        }
        let held = self.gathering.lock().ripe(None);
        self.send_gathered(held).await;
    }

    /// Ends [`Delivery::run`].
    pub fn stop(&self) {
        self.stopping.notify_one();
    }

    /// Takes in an item and what came after it: one write, one sync.
    async fn take_in(&self, first: Item, incoming: &mut mpsc::Receiver<Item>) {
        let (mut events, mut barriers) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(item) = next {
            match item {
                Item::Event(event) => events.push(event),
                Item::Barrier(done) => barriers.push(done),
            }
            next = if events.len() < AT_ONCE { incoming.try_recv().ok() } else { None };
        }
        self.sort_out(events).await;
        barriers.into_iter().for_each(|done| done.send(()).unwrap_or_default());
    }

    /// Writes the messages of events, but for what is held back.
    pub(crate) async fn sort_out(&self, events: Vec<Event>) {
        let now = Instant::now();
        let mut sorted: Vec<(Event, &[Way])> = Vec::new();
        {
            let mut gathering = self.gathering.lock();
            for event in events {
                sorted.push((event.clone(), EVERY));
                sorted.extend(gathering.take(event, now).map(|event| (event, GATHERED)));
            }
        }
        if !sorted.is_empty() {
            self.dispatch(&sorted).await;
        }
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
