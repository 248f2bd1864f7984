//! What an appliance does by itself: it follows its own commits and its condition, and reports what
//! the operator may want to know to `delivery`, which sends it.
//!
//! Nothing here is waited for by a commit or an answer. A world without tasks of its own catches up
//! when its outbox is asked for ([`Acting::catch_up`]).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use config_tree::{NodePath, Tree};
use delivery::{Configuration, Delivery, Event, EventKind, MachineProbe, Parts, Settings, Source};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;
use transaction_engine::{Engine, Feed, Next, RevisionRecord};

/// How often an appliance looks at what does not announce itself: its store, its certificates.
const LOOK: Duration = Duration::from_secs(5);
/// Every how many looks certificates are looked at.
const LOOKS_PER_CERTIFICATES: u32 = 720;
/// The time before its end at which a certificate is reported.
const SOON: i64 = 30 * 86_400 * 1_000_000;
/// The number of paths of a commit that are named.
const PATHS_NAMED: usize = 5;

/// What a dialect knows of the appliance's own settings for mail, traps, syslog and health.
pub(crate) trait Acts: Send + Sync {
    /// What a tree says.
    fn configuration(&self, tree: &Tree) -> Configuration;

    /// The certificates of a tree: where each stands, and until when it is valid, in microseconds
    /// since 1970.
    fn certificates(&self, tree: &Tree) -> Vec<(String, i64)>;

    /// Whether a certificate may stand at a path.
    fn holds_certificate(&self, path: &NodePath) -> bool;
}

/// What an appliance does by itself.
pub struct Acting {
    pub(crate) delivery: Arc<Delivery>,
    engine: Arc<Engine>,
    acts: Option<Arc<dyn Acts>>,
    feed: Mutex<Option<Feed>>,
    news: Arc<Notify>,
    read_only: AtomicBool,
    expiring: Mutex<BTreeSet<String>>,
}

/// How an appliance sends what it has to send. By default it is written down and goes nowhere.
pub struct Sending {
    /// What the daemon's settings say.
    pub settings: Settings,
    /// Where messages wait; `None`: in memory.
    pub place: Option<PathBuf>,
    /// A path on the disk whose health is measured.
    pub disk: PathBuf,
}

impl Default for Sending {
    fn default() -> Self {
        Self { settings: Settings::default(), place: None, disk: PathBuf::from("/") }
    }
}

struct Committed {
    engine: Arc<Engine>,
    acts: Option<Arc<dyn Acts>>,
}

impl Source for Committed {
    fn configuration(&self) -> Configuration {
        let acts = self.acts.as_ref();
        acts.map(|acts| acts.configuration(&self.engine.running().tree)).unwrap_or_default()
    }
}

impl Acting {
    /// Of an appliance by its engine and its dialect.
    pub(crate) fn new(engine: &Arc<Engine>, acts: Option<Arc<dyn Acts>>, sending: Sending) -> Self {
        let Sending { settings, place, disk } = sending;
        let engine = Arc::clone(engine);
        let clock = Arc::clone(engine.clock());
        let delivery = Arc::new(Delivery::new(Parts {
            appliance: engine.catalog().name().to_owned(),
            settings,
            place,
            source: Arc::new(Committed { engine: Arc::clone(&engine), acts: acts.clone() }),
            clock: Arc::new(move || clock.now().as_micros()),
            probe: Arc::new(MachineProbe::new(disk)),
        }));
        let news = Arc::new(Notify::new());
        let feed = Mutex::new(feed(&engine, &news));
        let (read_only, expiring) = (AtomicBool::new(false), Mutex::default());
        Self { delivery, engine, acts, feed, news, read_only, expiring }
    }

    /// Works until [`Acting::stop`].
    pub async fn run(self: Arc<Self>) {
        let sending = Arc::clone(&self.delivery).run();
        let following = Arc::clone(&self).follow();
        tokio::pin!(sending);
        tokio::select! {
            () = &mut sending => {}
            // The engine has ended; what was reported still goes out.
            () = following => sending.await,
        }
    }

    /// Ends [`Acting::run`], after what has happened so far has been written down.
    pub async fn stop(self: &Arc<Self>) {
        self.catch_up().await;
        self.delivery.stop();
    }

    async fn follow(self: Arc<Self>) {
        let mut looks = 0u32;
        loop {
            let this = Arc::clone(&self);
            let with_certificates = looks.is_multiple_of(LOOKS_PER_CERTIFICATES);
            let looked = tokio::task::spawn_blocking(move || {
                this.look(with_certificates);
                this.pull()
            });
            // A panic there costs one look, and not those that follow.
            if matches!(looked.await, Ok(Followed::Ended)) {
                return;
            }
            if timeout(LOOK, self.news.notified()).await.is_err() {
                looks = looks.wrapping_add(1);
            }
        }
    }

    /// Takes in what was committed up to now, and waits until it has become messages.
    pub(crate) async fn catch_up(self: &Arc<Self>) {
        let this = Arc::clone(self);
        // What fails there is in the log, and the outbox shows what there is.
        drop(tokio::task::spawn_blocking(move || this.pull()).await);
        self.delivery.flush().await;
    }

    /// Reports the commits that are new. May read the store.
    fn pull(&self) -> Followed {
        let mut certificates = false;
        let followed = self.report_commits(&mut certificates);
        if certificates {
            self.look_at_certificates();
        }
        followed
    }

    fn report_commits(&self, certificates: &mut bool) -> Followed {
        let mut held = self.feed.lock();
        let Some(current) = held.as_mut() else { return Followed::Ended };
        loop {
            match current.pull() {
                Ok(Next::Revision(record)) => {
                    *certificates |= self.touches_certificates(&record);
                    self.delivery.report(committed(&record));
                }
                Ok(Next::Wait) => return Followed::Waits,
                Ok(Next::Closed) => return Followed::Ended,
                Ok(Next::CutOff) | Err(_) => {
                    tracing::warn!(
                        "commits came faster than they could be reported; some are left out"
                    );
                    *held = feed(&self.engine, &self.news);
                    return Followed::Waits;
                }
            }
        }
    }

    fn touches_certificates(&self, record: &RevisionRecord) -> bool {
        let Some(acts) = &self.acts else { return false };
        record.changes.iter().any(|change| acts.holds_certificate(change.path()))
    }

    /// Reports what does not announce itself.
    fn look(&self, with_certificates: bool) {
        let read_only = self.engine.is_poisoned();
        if read_only && !self.read_only.swap(read_only, Ordering::Relaxed) {
            let text =
                "The store failed and refuses writes: repair its disk and start the daemon again";
            self.delivery.report(Event::new(self.delivery.now(), EventKind::StoreReadOnly, text));
        }
        if with_certificates {
            self.look_at_certificates();
        }
    }

    fn look_at_certificates(&self) {
        let Some(acts) = &self.acts else { return };
        let now = self.delivery.now();
        let mut expiring = self.expiring.lock();
        for (place, end) in acts.certificates(&self.engine.running().tree) {
            if end - now > SOON || !expiring.insert(format!("{place} {end}")) {
                continue;
            }
            let until = transaction_engine::Timestamp::from_micros(end);
            let expires = if end < now { "expired" } else { "expires" };
            let text = format!("The certificate {place} {expires} on {until}: replace it");
            let event = Event::new(now, EventKind::CertificateExpires, text);
            self.delivery.report(event.with("certificate", place).with("not_after", until));
        }
    }

    /// Reports a login that was refused; `blocked`: its address and user have to wait from now on.
    pub(crate) fn login_refused(&self, address: std::net::IpAddr, blocked: bool) {
        let now = self.delivery.now();
        // Not the name: people type their password there.
        let text = format!("A login from {address} was refused");
        let event = Event::new(now, EventKind::LoginRefused, text).with("address", address);
        self.delivery.report(event);
        if blocked {
            let text = format!("Logins from {address} are blocked after too many refused ones");
            let event = Event::new(now, EventKind::LoginBlocked, text).with("address", address);
            self.delivery.report(event);
        }
    }

    /// What a tree says; nothing where the dialect does not act.
    pub(crate) fn configuration(&self, tree: &Tree) -> Configuration {
        self.acts.as_ref().map(|acts| acts.configuration(tree)).unwrap_or_default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Followed {
    Waits,
    Ended,
}

fn feed(engine: &Engine, news: &Arc<Notify>) -> Option<Feed> {
    let wake = Arc::clone(news);
    engine.watch(engine.running_number(), move || wake.notify_one()).ok()
}

fn committed(record: &RevisionRecord) -> Event {
    let RevisionRecord { number, author, changes, .. } = record;
    let text = format!("Revision {number} was committed by {author}");
    let paths: Vec<String> =
        changes.iter().take(PATHS_NAMED).map(|change| change.path().to_string()).collect();
    let event = Event::new(record.time.as_micros(), EventKind::Commit, text)
        .with("revision", number)
        .with("author", author)
        .with("changes", changes.len())
        .with("paths", paths.join(" "));
    match &record.message {
        Some(message) => event.with("message", message),
        None => event,
    }
}
