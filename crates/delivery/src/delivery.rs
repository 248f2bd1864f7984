//! From an event to the other side: the event is taken without a wait, becomes messages, which go
//! into the outbox or the queue, and out of the queue lane by lane.
//!
//! Nothing here runs on a thread that a commit or an answer waits for. `report` puts an event into
//! a channel and never waits; everything else happens in [`Delivery::run`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::configuration::{Configuration, Host, SyslogTransport, Way};
use crate::event::{Event, EventKind};
use crate::failure::Failure;
use crate::gather::Gathering;
use crate::health::{Figures, Watch};
use crate::message::{Content, Message, Writer};
use crate::outbox::{Outbox, State, Wanted};
use crate::queue::Queue;
use crate::settings::{Parts, Settings};
use crate::snmp::Engine;
use crate::{mail, snmp, syslog, tls};

/// The number of events that may wait to become messages.
const EVENTS: usize = 1_024;
/// How long [`Delivery::flush`] waits at most.
const FLUSH: Duration = Duration::from_secs(5);

/// What an appliance sends.
pub struct Delivery {
    pub(crate) parts: Parts,
    pub(crate) queue: Arc<Queue>,
    pub(crate) outbox: Outbox,
    pub(crate) engine: Engine,
    pub(crate) started: Instant,
    events: mpsc::Sender<Item>,
    pub(crate) incoming: tokio::sync::Mutex<mpsc::Receiver<Item>>,
    pub(crate) gathering: Mutex<Gathering>,
    /// Events for which there was no room.
    lost: AtomicU64,
    /// Wakes those who look for lanes to be worked on.
    pub(crate) news: Notify,
    pub(crate) stopping: Notify,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    watch: Watch,
    measured: Option<(i64, Figures)>,
    replaced: Option<Figures>,
}

/// The number of events that become messages together: one write, one sync.
pub(crate) const AT_ONCE: usize = 64;

/// What comes through the channel.
pub(crate) enum Item {
    Event(Event),
    /// Is answered when everything before it has become messages.
    Barrier(oneshot::Sender<()>),
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Sent(String),
    Failed(Failure),
}

impl Delivery {
    /// Puts it together and opens the queue. A queue that cannot be opened is kept in memory, and
    /// the log says so: what an appliance sends must not keep it from starting.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let now = (parts.clock)();
        let limit = parts.settings.queue_messages;
        // Where nothing is kept, boots still go up from one start to the next.
        let boots = u32::try_from(now / 8_000_000).unwrap_or(1).max(1);
        let opened = Queue::open(parts.place.as_deref(), limit, boots);
        let queue = Arc::new(opened.unwrap_or_else(|error| {
            tracing::error!(%error, "the queue of messages cannot be opened; what waits is lost with the process");
            Queue::in_memory(limit, boots)
        }));
        let (events, incoming) = mpsc::channel(EVENTS);
        let started = Instant::now();
        let Settings { gather, gather_after, .. } = parts.settings;
        let gathering = Gathering::new(gather, gather_after);
        let delivery = Self {
            engine: Engine::new(queue.boots(), started, random()),
            outbox: Outbox::new(parts.settings.outbox_messages),
            queue,
            started,
            events,
            incoming: tokio::sync::Mutex::new(incoming),
            gathering: Mutex::new(gathering),
            lost: AtomicU64::new(0),
            news: Notify::new(),
            stopping: Notify::new(),
            health: Mutex::default(),
            parts,
        };
        delivery.show_what_waits();
        delivery
    }

    fn show_what_waits(&self) {
        let waiting = self.queue.waiting();
        if !waiting.is_empty() {
            tracing::info!(messages = waiting.len(), "messages wait from an earlier start");
        }
        for message in waiting {
            self.outbox.put(message, Value::Null, State::Waiting);
        }
    }

    // ===== events =====

    /// Takes an event. Never waits; where there is no room the event is lost, and counted.
    pub fn report(&self, event: Event) {
        if self.events.try_send(Item::Event(event)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what was reported before has become messages. Where [`Delivery::run`] does not
    /// run, as in a world without tasks of its own, they are written here.
    pub async fn flush(&self) {
        if let Ok(mut incoming) = self.incoming.try_lock() {
            while let Some(events) = next_events(&mut incoming) {
                self.sort_out(events).await;
            }
            return;
        }
        let (done, waits) = oneshot::channel();
        if self.events.try_send(Item::Barrier(done)).is_ok() {
            drop(timeout(FLUSH, waits).await);
        }
    }

    /// What time it is for the appliance, in microseconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.parts.clock)()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    /// Writes what goes out about events, and puts it into the outbox or the queue.
    pub(crate) async fn dispatch(&self, events: &[(Event, &[Way])]) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "events came faster than messages could be written and are lost");
        }
        let configuration = self.parts.source.configuration();
        let mut queued = Vec::new();
        for (event, ways) in events {
            for way in *ways {
                if configuration.goes(event.kind, *way) {
                    self.write(event, *way, &configuration, &mut queued);
                }
            }
        }
        if queued.is_empty() {
            return;
        }
        self.enqueue(queued, &configuration).await;
        self.news.notify_one();
    }

    fn write(
        &self,
        event: &Event,
        way: Way,
        configuration: &Configuration,
        queued: &mut Vec<(u64, i64, EventKind, Content)>,
    ) {
        let contents = match self.writer(configuration).write(event, way, self.queue.number()) {
            Ok(contents) => contents,
            Err(error) => {
                tracing::warn!(way = way.name(), %error, "no message could be written");
                return;
            }
        };
        for content in contents {
            let (id, time) = (self.queue.number(), event.time);
            match self.withheld(&content, configuration) {
                Some(why) => {
                    let envelope = envelope(&content, configuration);
                    let message = Message { id, time, event: event.kind, content };
                    self.outbox.put(message, envelope, State::Recorded(why));
                }
                None => queued.push((id, time, event.kind, content)),
            }
        }
    }

    fn writer<'a>(&'a self, configuration: &'a Configuration) -> Writer<'a> {
        let hundredths = self.started.elapsed().as_millis() / 10;
        let uptime = u32::try_from(hundredths & u128::from(u32::MAX)).unwrap_or_default();
        Writer { appliance: &self.parts.appliance, configuration, uptime }
    }

    /// Why a message may not be sent.
    fn withheld(&self, content: &Content, configuration: &Configuration) -> Option<String> {
        let host = destination(content, configuration)?;
        self.settings().mode.withholds(&host)
    }

    async fn enqueue(
        &self,
        queued: Vec<(u64, i64, EventKind, Content)>,
        configuration: &Configuration,
    ) {
        let queue = Arc::clone(&self.queue);
        // The disk is not waited for on a thread of the runtime.
        let Ok(pushed) = spawn_blocking(move || queue.push(queued)).await else { return };
        if let Some(error) = pushed.unkept {
            tracing::error!(%error, "the queue cannot be written; what waits is lost with the process");
        }
        for message in pushed.accepted {
            let envelope = envelope(&message.content, configuration);
            self.outbox.put(message, envelope, State::Waiting);
        }
        for message in pushed.refused {
            let why = format!(
                "the queue is full with {} messages: repair what keeps them, or raise \
                 delivery.queue_messages",
                self.settings().queue_messages
            );
            tracing::warn!(
                way = message.content.way().name(),
                event = message.event.name(),
                error = why,
                "message given up"
            );
            let envelope = envelope(&message.content, configuration);
            self.outbox.put(message, envelope, State::GivenUp(why));
        }
    }

    // ===== sending =====

    /// Tries to send a message by the settings that are committed now.
    pub(crate) async fn attempt(&self, message: &Message) -> Attempt {
        self.attempt_with(message, &self.parts.source.configuration()).await
    }

    async fn attempt_with(&self, message: &Message, configuration: &Configuration) -> Attempt {
        let limit = self.settings().timeout;
        let tried = timeout(limit, self.send(&message.content, configuration)).await;
        match tried {
            Ok(Ok(reply)) => Attempt::Sent(reply),
            Ok(Err(failure)) => Attempt::Failed(failure),
            Err(_) => {
                let seconds = limit.as_secs_f64();
                let why = format!("the other side did not answer within {seconds} s");
                Attempt::Failed(Failure::Later(why))
            }
        }
    }

    async fn send(
        &self,
        content: &Content,
        configuration: &Configuration,
    ) -> Result<String, Failure> {
        let Settings { mode, smtp_port, trap_port, .. } = *self.settings();
        let gone = |what: &str| Failure::Never(format!("{what} is not configured any more"));
        match content {
            Content::Mail(mail) => {
                let settings = configuration.mail.as_ref().ok_or_else(|| gone("mail"))?;
                mail::send(mail, settings, mode, smtp_port, &configuration.host).await
            }
            Content::Trap(trap) => {
                let traps = configuration.traps.as_ref().ok_or_else(|| gone("a trap server"))?;
                snmp::send(trap, traps, mode, trap_port, &self.engine).await
            }
            Content::Syslog { to, line } => {
                let mut receivers = configuration.syslog.iter();
                let receiver = receivers.find(|receiver| receiver.name() == *to);
                let receiver = receiver.ok_or_else(|| gone(&format!("the receiver {to}")))?;
                syslog::send(line, receiver, mode).await
            }
        }
    }

    /// Notes what an attempt came to. Whether the message still waits.
    pub(crate) async fn settle(&self, message: &Message, attempt: Attempt) -> bool {
        let now = self.now();
        let age = Duration::from_micros(u64::try_from(now - message.time).unwrap_or(0));
        let (state, error) = match attempt {
            Attempt::Sent(reply) => (State::Sent { time: now, reply }, None),
            Attempt::Failed(Failure::Withheld(why)) => (State::Recorded(why), None),
            Attempt::Failed(Failure::Never(why)) => (State::GivenUp(why.clone()), Some(why)),
            Attempt::Failed(Failure::Later(why)) if age >= self.settings().max_age => {
                (State::GivenUp(format!("too old, and the last attempt failed: {why}")), Some(why))
            }
            Attempt::Failed(Failure::Later(why)) => (State::Waiting, Some(why)),
        };
        let (id, way) = (message.id, message.content.way().name());
        match (&state, &error) {
            (State::GivenUp(why), _) => tracing::warn!(
                id,
                way,
                event = message.event.name(),
                error = why,
                "message given up"
            ),
            (_, Some(error)) => {
                tracing::warn!(id, way, error, "message not sent; it will be tried again")
            }
            _ => tracing::debug!(id, way, "message sent"),
        }
        let waits = state == State::Waiting;
        // Before the outbox says so: what was seen to be sent does not come again.
        if !waits {
            let queue = Arc::clone(&self.queue);
            if let Ok(Err(error)) = spawn_blocking(move || queue.done(id)).await {
                tracing::error!(%error, "the queue cannot be written; messages may be sent again after a restart");
            }
        }
        self.outbox.attempted(message, state, error.as_deref());
        waits
    }

    // ===== tests =====

    /// Sends a test message by a configuration, past the queue, and says what came of it.
    pub async fn test(&self, way: Way, configuration: &Configuration) -> Vec<Value> {
        let name = &self.parts.appliance;
        let event = Event::new(self.now(), EventKind::Test, format!("Test message of {name}"));
        let written = self.writer(configuration).write(&event, way, self.queue.number());
        let contents = match written {
            Ok(contents) => contents,
            Err(failure) => {
                return vec![json!({"error": failure.to_string(), "outcome": "failed"})];
            }
        };
        let mut results = Vec::new();
        for content in contents {
            results.push(self.test_one(&event, content, configuration).await);
        }
        results
    }

    async fn test_one(
        &self,
        event: &Event,
        content: Content,
        configuration: &Configuration,
    ) -> Value {
        let envelope = envelope(&content, configuration);
        let to = destination(&content, configuration).map(|host| host.to_string());
        let message =
            Message { id: self.queue.number(), time: event.time, event: event.kind, content };
        let attempt = match self.withheld(&message.content, configuration) {
            Some(why) => Attempt::Failed(Failure::Withheld(why)),
            None => self.attempt_with(&message, configuration).await,
        };
        let (state, mut result) = match attempt {
            Attempt::Sent(reply) => {
                let result = json!({"outcome": "sent", "reply": reply});
                (State::Sent { time: self.now(), reply }, result)
            }
            Attempt::Failed(Failure::Withheld(why)) => {
                let result = json!({"outcome": "recorded", "reason": why});
                (State::Recorded(why), result)
            }
            Attempt::Failed(failure) => {
                let result = json!({"error": failure.to_string(), "outcome": "failed"});
                (State::GivenUp(failure.to_string()), result)
            }
        };
        result["message"] = json!(message.id);
        result["to"] = json!(to);
        self.outbox.put(message, envelope, state);
        result
    }

    // ===== what is shown =====

    /// The messages of the outbox, the oldest first.
    #[must_use]
    pub fn outbox(&self, wanted: &Wanted) -> Vec<Value> {
        self.outbox.list(wanted)
    }

    /// The messages of the outbox as soon as there is one that is wanted, or after a time.
    pub async fn outbox_within(&self, wanted: &Wanted, patience: Duration) -> Vec<Value> {
        let mut changes = self.outbox.watch();
        let deadline = Instant::now() + patience;
        loop {
            let found = self.outbox.list(wanted);
            let waited = tokio::time::timeout_at(deadline, changes.changed());
            if !found.is_empty() || waited.await.is_err() {
                return found;
            }
        }
    }

    /// Forgets the messages of the outbox, but for those that wait.
    pub fn clear_outbox(&self) {
        self.outbox.clear();
    }

    /// What is configured, what waits, and what is wrong.
    #[must_use]
    pub fn condition(&self) -> Value {
        let configuration = self.parts.source.configuration();
        let mut problems = configuration.problems.clone();
        problems.extend(unusable(&configuration));
        let problem = |(way, text): &(Way, String)| json!({"way": way.name(), "problem": text});
        let problems: Vec<Value> = problems.iter().map(problem).collect();
        json!({
            "mode": self.settings().mode.word(),
            "problems": problems,
            "queue": {"limit": self.settings().queue_messages, "waiting": self.queue.len()},
            "ways": {
                "mail": configuration.mail.is_some(),
                "syslog": !configuration.syslog.is_empty(),
                "trap": configuration.traps.is_some(),
            },
        })
    }

    /// How many messages of a way were recorded, sent, given up, and how many attempts failed.
    #[must_use]
    pub fn counts(&self, way: Way) -> [(&'static str, u64); 4] {
        let [recorded, sent, given_up] = self.outbox.ended(way);
        [recorded, sent, ("given-up", given_up.1), ("failed-attempt", self.outbox.failed(way))]
    }

    /// How many messages wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    // ===== health =====

    /// Measures, and reports what is to be said of it.
    pub async fn measure(&self) {
        let probe = Arc::clone(&self.parts.probe);
        let Ok(machine) = spawn_blocking(move || probe.measure()).await else { return };
        let limits = self.parts.source.configuration().health;
        let now = self.now();
        let events = {
            let mut health = self.health.lock();
            let figures = health.replaced.map_or(machine, |given| given.over(&machine));
            health.measured = Some((now, figures));
            health.watch.measured(&figures, &limits, now)
        };
        events.into_iter().for_each(|event| self.report(event));
    }

    /// Puts figures in the place of those that are measured, or takes them away again.
    pub fn replace_figures(&self, figures: Option<Figures>) {
        self.health.lock().replaced = figures;
    }

    /// The last figures; `None` before the first measurement.
    #[must_use]
    pub fn figures(&self) -> Option<(i64, Figures)> {
        self.health.lock().measured
    }

    /// The figures that stand for measured ones.
    #[must_use]
    pub fn replaced_figures(&self) -> Option<Figures> {
        self.health.lock().replaced
    }

    /// The names of the figures above their limits.
    #[must_use]
    pub fn raised(&self) -> Vec<&'static str> {
        self.health.lock().watch.raised()
    }
}

/// To whom a message goes; `None` where that is not configured.
fn destination(content: &Content, configuration: &Configuration) -> Option<Host> {
    match content {
        Content::Mail(_) => configuration.mail.as_ref().map(|mail| mail.server.clone()),
        Content::Trap(_) => configuration.traps.as_ref().map(|traps| traps.server.clone()),
        Content::Syslog { to, .. } => {
            let mut receivers = configuration.syslog.iter();
            receivers.find(|receiver| receiver.name() == *to).map(|receiver| receiver.host.clone())
        }
    }
}

/// What is configured for TLS and cannot work.
fn unusable(configuration: &Configuration) -> Vec<(Way, String)> {
    let mail = configuration.mail.iter().filter_map(|mail| mail.starttls.as_ref());
    let syslog = configuration.syslog.iter().filter_map(|receiver| match &receiver.transport {
        SyslogTransport::Tls(tls) => Some(tls),
        SyslogTransport::Udp | SyslogTransport::Tcp => None,
    });
    let all = mail.map(|tls| (Way::Mail, tls)).chain(syslog.map(|tls| (Way::Syslog, tls)));
    all.filter_map(|(way, tls)| Some((way, tls::check(tls).err()?.to_string()))).collect()
}

/// How a message goes out, without secrets.
fn envelope(content: &Content, configuration: &Configuration) -> Value {
    let server = destination(content, configuration).map(|host| host.to_string());
    let mut envelope = match (content, configuration) {
        (Content::Trap(_), Configuration { traps: Some(traps), .. }) => snmp::envelope(traps),
        (Content::Mail(_), Configuration { mail: Some(mail), .. }) => json!({
            "login": mail.login.as_ref().map(|(user, _)| user),
            "starttls": mail.starttls.is_some(),
        }),
        _ => json!({}),
    };
    envelope["server"] = json!(server);
    envelope
}

/// The events that are there; barriers among them count as reached. `None`: there are none.
fn next_events(incoming: &mut mpsc::Receiver<Item>) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    while events.len() < AT_ONCE {
        match incoming.try_recv() {
            Ok(Item::Event(event)) => events.push(event),
            Ok(Item::Barrier(done)) => done.send(()).unwrap_or_default(),
            Err(_) => break,
        }
    }
    (!events.is_empty()).then_some(events)
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without random bytes the counter begins at zero: still never the same twice in a boot.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
