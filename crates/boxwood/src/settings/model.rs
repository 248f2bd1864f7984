//! The settings as a plain struct, which the daemon reads.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use front_end::transport::ListenUrl;
use front_end::{DialectSettings, Proxies, SpsSettings};

use super::value::{Mode, Secret, SecretKey, TransactionMode};
use crate::telemetry::LogFormat;

/// All settings, checked: what is here can be used as it stands.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The command that was given: it decides the defaults.
    pub mode: Mode,
    /// The appliances to serve, at least one; the first one has the settings without a name.
    pub appliances: Vec<ApplianceSettings>,
    /// Where state is kept. `None`, possible in [`Mode::Dev`] only, is a temporary directory
    /// that is removed at exit.
    pub data_dir: Option<PathBuf>,
    /// Plain http may be spoken on addresses other machines can reach.
    pub insecure_http: bool,
    /// [`Mode::Dev`] may listen on addresses that other machines can reach.
    pub expose_dev: bool,
    /// `log.*`
    pub log: LogSettings,
    /// `transactions.*`
    pub transactions: TransactionSettings,
    /// `sps.*`: for every SPS appliance that does not say it for itself.
    pub sps: SpsSettings,
    /// `limits.*`
    pub limits: Limits,
    /// `worlds.*`
    pub worlds: WorldsSettings,
    /// `login.*`
    pub login: LoginSettings,
    /// `proxies.*`
    pub proxies: Proxies,
    /// `tls.*`: the certificate to serve; `None` is one generated at first start.
    pub tls: Option<TlsFiles>,
    /// Names and addresses that a generated certificate is for, next to those of listeners.
    pub tls_names: Vec<String>,
    /// `secrets.*`
    pub secrets: SecretsSettings,
    /// `store.*`
    pub store: StoreSettings,
    /// `history.*`
    pub history: HistorySettings,
    /// `delivery.*`
    pub delivery: delivery::Settings,
    /// The administrator's password, if it was given; always there in [`Mode::Dev`].
    pub admin_password: Option<Secret>,
    /// The key that seals secrets, if it was given; it goes before [`SecretsSettings::key_file`].
    pub secret_key: Option<SecretKey>,
    /// `appliance`, `catalog` and `listen`, while the sources are read.
    pub(super) names: Vec<String>,
    pub(super) catalog: Option<PathBuf>,
    pub(super) listen: Vec<ListenUrl>,
    /// The appliances whose tables name a catalog; known before any name is checked.
    pub(super) own_catalogs: BTreeSet<String>,
    /// Only one of the two may have been given while the sources are read; see [`Settings::tls`].
    pub(super) tls_given: TlsGiven,
}

/// `log.*`
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Which events are written, in the directives of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// How they are written.
    pub format: LogFormat,
    /// The file they are appended to; `None` is standard error.
    pub file: Option<PathBuf>,
}

/// `transactions.*`
#[derive(Clone, Debug)]
pub struct TransactionSettings {
    /// As given.
    pub mode: TransactionMode,
}

/// `appliances.NAME.*`, and for the first appliance what is given without a name.
#[derive(Clone, Debug, Default)]
pub struct ApplianceSettings {
    /// The name. `None`: that of the catalog in [`ApplianceSettings::catalog`].
    pub name: Option<String>,
    /// The directory of a catalog of one's own; `None`: the built-in catalog of that name.
    pub catalog: Option<PathBuf>,
    /// Where to accept connections; at least one, no two alike.
    pub listen: Vec<ListenUrl>,
    /// What its dialect has to set.
    pub dialect: DialectSettings,
}

/// `limits.*`: beyond each of them a request, connection or session is refused.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Request line and headers together.
    pub head_bytes: usize,
    /// Header lines of a request.
    pub headers: usize,
    /// Body of a request.
    pub body_bytes: usize,
    /// Body of a request that imports a configuration.
    pub import_bytes: usize,
    /// Arrays and objects inside one another.
    pub json_depth: usize,
    /// Violations, conflicts or referrers that a refusal lists.
    pub violations: usize,
    /// Answer to a refused request.
    pub answer_bytes: usize,
    /// All answers that wait for their readers.
    pub waiting_bytes: usize,
    /// The same of one address.
    pub waiting_bytes_per_address: usize,
    /// Answers waiting on one connection, from which on it gets no further ones.
    pub waiting_bytes_per_connection: usize,
    /// Time for a request's head to arrive.
    pub header_time: Duration,
    /// Time for a request's body to arrive.
    pub body_time: Duration,
    /// Time for a TLS handshake.
    pub tls_time: Duration,
    /// Connections open at once.
    pub connections: usize,
    /// Connections open at once from one address.
    pub connections_per_address: usize,
    /// Time for running requests to end when the daemon stops.
    pub drain_time: Duration,
    /// Sessions alive at once.
    pub sessions: usize,
    /// Changes in one transaction.
    pub transaction_changes: usize,
    /// Requests at once on one HTTP/2 connection.
    pub http2_streams: u32,
}

/// `worlds.*`
#[derive(Clone, Debug)]
pub struct WorldsSettings {
    /// Worlds in addition to `main`.
    pub most: usize,
}

/// `login.*`
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// Number of failures within [`LoginSettings::window`] after which attempts have to wait; 0: never.
    pub failures: u32,
    /// The time over which failures are counted.
    pub window: Duration,
    /// The longest wait.
    pub block: Duration,
    /// When a session that is not used ends; `None`: the configuration's
    /// `management/webinterface.timeout` says so.
    pub idle: Option<Duration>,
    /// The file with the administrator's password, if it is not given otherwise.
    pub admin_password_file: Option<PathBuf>,
    /// When a session ends however much it is used; `None`: never.
    pub lifetime: Option<Duration>,
}

/// `tls.*`, both of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file with the certificate, and after it the chain.
    pub certificate: PathBuf,
    /// PEM file with the certificate's private key.
    pub private_key: PathBuf,
}

/// `secrets.*`
#[derive(Clone, Debug)]
pub struct SecretsSettings {
    /// The file with the sealing key, if it is not the usual one: see [`Settings::key_file`].
    pub key_file: Option<PathBuf>,
}

/// `store.*`
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Memory for the store's own cache.
    pub cache_bytes: u64,
    /// Number of revisions after which a checkpoint of the whole tree is written.
    pub checkpoint_revisions: u64,
}

/// `history.*`
#[derive(Clone, Debug)]
pub struct HistorySettings {
    /// Minimum number of revisions to keep.
    pub keep_revisions: u64,
    /// Older ones go although they are fewer; 0 sets no limit.
    pub keep_days: u64,
    /// How long the answer of a commit is kept for a retry.
    pub idempotency: Duration,
}

/// The two halves of [`TlsFiles`] as the sources name them.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsGiven {
    pub(super) certificate: Option<PathBuf>,
    pub(super) private_key: Option<PathBuf>,
}

impl ApplianceSettings {
    /// The hosts that a generated certificate is for.
    pub fn hosts(&self, settings: &Settings) -> Vec<String> {
        let listening = self.listen.iter().map(|url| url.host.clone());
        let mut hosts: Vec<_> = listening.chain(settings.tls_names.iter().cloned()).collect();
        hosts.dedup();
        hosts
    }
}

impl Settings {
    /// The file with the sealing key of a store in `data_dir`.
    pub fn key_file(&self, data_dir: &Path) -> PathBuf {
        self.secrets.key_file.clone().unwrap_or_else(|| data_dir.join("secret.key"))
    }

    /// The struct before any default is applied. The registry overwrites every field; a test
    /// compares the outcome with a list, so that a forgotten one shows.
    pub(super) fn unset(mode: Mode) -> Settings {
        let no_time = Duration::ZERO;
        Settings {
            mode,
            appliances: Vec::new(),
            data_dir: None,
            insecure_http: false,
            expose_dev: false,
            log: LogSettings { filter: String::new(), format: LogFormat::Auto, file: None },
            transactions: TransactionSettings { mode: TransactionMode::Auto },
            sps: SpsSettings::default(),
            limits: Limits {
                head_bytes: 0,
                headers: 0,
                body_bytes: 0,
                import_bytes: 0,
                json_depth: 0,
                violations: 0,
                answer_bytes: 0,
                waiting_bytes: 0,
                waiting_bytes_per_address: 0,
                waiting_bytes_per_connection: 0,
                header_time: no_time,
                body_time: no_time,
                tls_time: no_time,
                connections: 0,
                connections_per_address: 0,
                drain_time: no_time,
                sessions: 0,
                transaction_changes: 0,
                http2_streams: 0,
            },
            worlds: WorldsSettings { most: 0 },
            login: LoginSettings {
                failures: 0,
                window: no_time,
                block: no_time,
                idle: None,
                admin_password_file: None,
                lifetime: None,
            },
            proxies: Proxies::default(),
            tls: None,
            tls_names: Vec::new(),
            secrets: SecretsSettings { key_file: None },
            store: StoreSettings { cache_bytes: 0, checkpoint_revisions: 0 },
            history: HistorySettings { keep_revisions: 0, keep_days: 0, idempotency: no_time },
            delivery: delivery::Settings::default(),
            admin_password: None,
            secret_key: None,
            names: Vec::new(),
            catalog: None,
            listen: Vec::new(),
            own_catalogs: BTreeSet::new(),
            tls_given: TlsGiven::default(),
        }
    }
}
