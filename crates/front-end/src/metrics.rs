//! What the daemon counts, and the one text in which it says so.
//!
//! Recording must cost nanoseconds: labels are small enums and static strings, so nothing is allocated
//! and nothing is formatted until somebody asks for the text. Whatever has few label values is made at
//! the start, so that a counter stands at zero before its first event and a rate over it is right from
//! the first scrape. Request counters are the exception: method times route times status would be a
//! thousand lines of zeros.
//!
//! Label values never come from a client. A path, a user name or an unknown method as a label would let
//! strangers grow our memory.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use delivery::{Delivery, Way};
use hyper::http::{self, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a cached read (50 µs) to a request that waited for its body.
const REQUEST_SECONDS: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0,
    30.0,
];

/// From a commit into the page cache to a disk in trouble.
const COMMIT_SECONDS: [f64; 12] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

static LOG_LINES_DROPPED: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Counts the lines that the log of the process had to drop. The log is one for the process, and so
/// is this; every appliance shows it.
pub fn log_lines_dropped() -> &'static Counter {
    &LOG_LINES_DROPPED
}

/// Every metric of an appliance and its listeners. Clones share the same numbers.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Histogram,
    connections: Gauge,
    refusals: [Counter; ConnectionRefusal::ALL.len()],
    logins: [Counter; LoginOutcome::ALL.len()],
    transactions: Gauge,
    commits: [Counter; CommitOutcome::ALL.len()],
    commit_seconds: Histogram,
    running_revision: Gauge<u64, AtomicU64>,
    store_poisoned: Gauge,
    sessions: Gauge,
    certificate_expires: Gauge,
    messages: Family<MessageLabels, Counter>,
    messages_waiting: Gauge,
    health: Family<FigureLabel, Gauge<f64, AtomicU64>>,
}

/// Why a connection was turned away before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionRefusal {
    /// Too many connections in all.
    Connections,
    /// Too many connections from one address.
    Address,
    /// The system had no files or memory for another one.
    Resources,
    /// The TLS handshake failed.
    Handshake,
    /// The TLS handshake took too long.
    HandshakeTimeout,
}

/// How a login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// A session was opened.
    Granted,
    /// Wrong name or password.
    Refused,
    /// Too many failures before this one.
    Blocked,
    /// Too many logins at once.
    Busy,
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// A new revision is running.
    Committed,
    /// The tree would have broken a rule.
    Rejected,
    /// Somebody else changed the same objects first.
    Conflict,
    /// The store failed.
    Failed,
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        Self::in_registry(Registry::with_prefix("boxwood"))
    }

    /// All metrics of one of several appliances: every line says which.
    pub fn of_appliance(name: &str) -> Self {
        let label = (Cow::Borrowed("appliance"), Cow::Owned(name.to_owned()));
        Self::in_registry(Registry::with_prefix_and_labels("boxwood", std::iter::once(label)))
    }

    fn in_registry(mut registry: Registry) -> Self {
        let requests = Family::default();
        let request_seconds = Histogram::new(REQUEST_SECONDS);
        let commit_seconds = Histogram::new(COMMIT_SECONDS);
        let (connections, transactions, store_poisoned, sessions) = Default::default();
        let certificate_expires = Gauge::default();
        let running_revision = Gauge::<u64, AtomicU64>::default();

        let help = "Requests answered, by method, route and class of status";
        registry.register("http_requests", help, Family::clone(&requests));
        let help = "Time from a request's head to its answer";
        let name = "http_request_duration";
        registry.register_with_unit(name, help, Unit::Seconds, request_seconds.clone());
        let help = "Connections open now";
        registry.register("connections_open", help, Gauge::clone(&connections));
        let help = "Connections turned away before their first request, by reason";
        let refusals = register(
            &mut registry,
            "connections_refused",
            help,
            ConnectionRefusal::ALL.map(|reason| ReasonLabel { reason: reason.label() }),
        );
        let help = "Logins, by outcome";
        let logins = register(
            &mut registry,
            "logins",
            help,
            LoginOutcome::ALL.map(|outcome| OutcomeLabel { outcome: outcome.label() }),
        );
        let help = "Transactions open now";
        registry.register("transactions_open", help, Gauge::clone(&transactions));
        let help = "Commits, by outcome";
        let commits = register(
            &mut registry,
            "commits",
            help,
            CommitOutcome::ALL.map(|outcome| OutcomeLabel { outcome: outcome.label() }),
        );
        let help = "Time of a commit, validation and disk included";
        registry.register_with_unit("commit_duration", help, Unit::Seconds, commit_seconds.clone());
        let help = "Number of the running revision";
        registry.register("running_revision", help, running_revision.clone());
        let help = "1 if the store failed to sync and takes no further writes until a restart";
        registry.register("store_poisoned", help, Gauge::clone(&store_poisoned));
        let help = "Unix time at which the certificate expires; 0 without one";
        let gauge = Gauge::clone(&certificate_expires);
        registry.register_with_unit("certificate_expires", help, Unit::Seconds, gauge);
        let help = "Lines dropped because standard error did not take them, of the whole process";
        registry.register("log_lines_dropped", help, log_lines_dropped().clone());
        registry.register("sessions", "Sessions that are logged in", Gauge::clone(&sessions));
        let (messages, messages_waiting, health) = Default::default();
        let help = "Mails, traps and syslog lines, by way and outcome";
        registry.register("messages", help, Family::clone(&messages));
        let help = "Messages that wait to be sent";
        registry.register("messages_waiting", help, Gauge::clone(&messages_waiting));
        let help = "What was last measured of the machine, by figure";
        registry.register("health", help, Family::clone(&health));

        Self(Arc::new(Inner {
            registry,
            requests,
            request_seconds,
            connections,
            refusals,
            logins,
            transactions,
            commits,
            commit_seconds,
            running_revision,
            store_poisoned,
            sessions,
            certificate_expires,
            messages,
            messages_waiting,
            health,
        }))
    }

    /// Counts an answered request. `route` is the route's name, never its path.
    pub fn request(
        &self,
        method: &http::Method,
        route: &'static str,
        status: StatusCode,
        taken: Duration,
    ) {
        let labels = RequestLabels { method: method.into(), route, status: status.into() };
        self.0.requests.get_or_create(&labels).inc();
        self.0.request_seconds.observe(taken.as_secs_f64());
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn connection_opened(&self) -> OpenConnection {
        self.0.connections.inc();
        OpenConnection(self.0.connections.clone())
    }

    /// Counts a connection turned away.
    pub(crate) fn connection_refused(&self, reason: ConnectionRefusal) {
        self.0.refusals[reason as usize].inc();
    }

    /// Counts a login.
    pub fn login(&self, outcome: LoginOutcome) {
        self.0.logins[outcome as usize].inc();
    }

    /// Counts a commit and the time it took.
    pub fn commit(&self, outcome: CommitOutcome, taken: Duration) {
        self.0.commits[outcome as usize].inc();
        self.0.commit_seconds.observe(taken.as_secs_f64());
    }

    /// Sets the number of open transactions.
    pub fn set_transactions_open(&self, count: usize) {
        self.0.transactions.set(signed(count));
    }

    /// Sets the number of the running revision.
    pub fn set_running_revision(&self, number: u64) {
        self.0.running_revision.set(number);
    }

    /// Sets whether the store refuses writes.
    pub fn set_store_poisoned(&self, poisoned: bool) {
        self.0.store_poisoned.set(i64::from(poisoned));
    }

    /// Sets the moment at which the certificate expires, in seconds of Unix time.
    pub fn set_certificate_expires(&self, seconds: i64) {
        self.0.certificate_expires.set(seconds);
    }

    /// Sets the number of sessions.
    pub fn set_sessions(&self, count: usize) {
        self.0.sessions.set(signed(count));
    }

    /// Takes over what a delivery has counted and measured.
    pub fn set_delivery(&self, delivery: &Delivery) {
        for way in Way::ALL {
            for (outcome, count) in delivery.counts(way) {
                let labels = MessageLabels { way: way.name(), outcome };
                let counter = self.0.messages.get_or_create(&labels);
                counter.inner().store(count, Ordering::Relaxed);
            }
        }
        self.0.messages_waiting.set(signed(delivery.waiting()));
        for (figure, value) in delivery.figures().iter().flat_map(|(_, figures)| figures.named()) {
            if let Some(value) = value {
                self.0.health.get_or_create(&FigureLabel { figure }).set(value);
            }
        }
    }

    /// All metrics in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        encode(&mut text, &self.0.registry).expect("writing to a String does not fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// One open connection in the gauge.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Makes one counter per label and registers them under one name. Kept outside the family, each is
/// reached by its index instead of a lock and a hash.
fn register<L, const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    labels: [L; N],
) -> [Counter; N]
where
    L: EncodeLabelSet + Clone + std::fmt::Debug + std::hash::Hash + Eq + Send + Sync + 'static,
{
    let family = Family::<L, Counter>::default();
    let counters = labels.map(|label| family.get_or_create_owned(&label));
    registry.register(name, help, family);
    counters
}

// Labels.

impl ConnectionRefusal {
    /// In the order of their declaration: the index of the counters.
    const ALL: [Self; 5] = [
        Self::Connections,
        Self::Address,
        Self::Resources,
        Self::Handshake,
        Self::HandshakeTimeout,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Address => "address",
            Self::Resources => "resources",
            Self::Handshake => "handshake",
            Self::HandshakeTimeout => "handshake_timeout",
        }
    }
}

impl LoginOutcome {
    /// In the order of their declaration: the index of the counters.
    const ALL: [Self; 4] = [Self::Granted, Self::Refused, Self::Blocked, Self::Busy];

    fn label(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Blocked => "blocked",
            Self::Busy => "busy",
        }
    }
}

impl CommitOutcome {
    /// In the order of their declaration: the index of the counters.
    const ALL: [Self; 4] = [Self::Committed, Self::Rejected, Self::Conflict, Self::Failed];

    fn label(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabels {
    way: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FigureLabel {
    figure: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: Method,
    route: &'static str,
    status: StatusClass,
}

/// The methods that have a name here; clients may invent any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Other,
}

impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Self {
        match method.as_str() {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

impl EncodeLabelValue for Method {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "other",
        })
    }
}

/// The hundreds of a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct StatusClass(u16);

impl From<StatusCode> for StatusClass {
    fn from(status: StatusCode) -> Self {
        Self(status.as_u16() / 100)
    }
}

impl EncodeLabelValue for StatusClass {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        write!(encoder, "{}xx", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_indexed_in_the_order_of_declaration() {
        for (index, reason) in ConnectionRefusal::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        for (index, outcome) in LoginOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
        for (index, outcome) in CommitOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
    }

    #[test]
    fn everything_counted_is_said() {
        let metrics = Metrics::new();
        let taken = Duration::from_millis(2);
        metrics.request(&http::Method::GET, "node_get", StatusCode::OK, taken);
        metrics.request(&http::Method::GET, "node_get", StatusCode::CREATED, taken);
        let invented = http::Method::from_bytes(b"BREW").unwrap();
        metrics.request(&invented, "none", StatusCode::NOT_FOUND, taken);
        let open = metrics.connection_opened();
        metrics.connection_refused(ConnectionRefusal::Address);
        metrics.login(LoginOutcome::Granted);
        metrics.commit(CommitOutcome::Committed, taken);
        metrics.set_transactions_open(3);
        metrics.set_running_revision(42);
        metrics.set_store_poisoned(true);
        metrics.set_sessions(5);

        let text = metrics.encode();
        for line in [
            r#"boxwood_http_requests_total{method="GET",route="node_get",status="2xx"} 2"#,
            r#"boxwood_http_requests_total{method="other",route="none",status="4xx"} 1"#,
            r#"boxwood_http_request_duration_seconds_bucket{le="0.0025"} 3"#,
            "boxwood_http_request_duration_seconds_count 3",
            "boxwood_connections_open 1",
            r#"boxwood_connections_refused_total{reason="address"} 1"#,
            r#"boxwood_connections_refused_total{reason="handshake"} 0"#,
            r#"boxwood_logins_total{outcome="granted"} 1"#,
            r#"boxwood_logins_total{outcome="blocked"} 0"#,
            "boxwood_transactions_open 3",
            r#"boxwood_commits_total{outcome="committed"} 1"#,
            "boxwood_commit_duration_seconds_count 1",
            "boxwood_running_revision 42",
            "boxwood_store_poisoned 1",
            "boxwood_sessions 5",
            "boxwood_log_lines_dropped_total 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        drop(open);
        assert!(metrics.encode().contains("boxwood_connections_open 0\n"));
    }
}
