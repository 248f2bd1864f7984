//! Every setting of the daemon: where it may be given, what it may be, and the plain struct that results.
//!
//! One table, [`registry::REGISTRY`], says of each setting its name, default, purpose and parser.
//! Parsing, the help of the command line, `config/boxwood.toml` and `docs/reference/settings.md`
//! all come from it, so none of them can speak of a setting that the others do not know.
//!
//! Two aims pull against each other: an operator wants to learn of all mistakes in one start, and
//! the code behind wants values that need no further check. So every value given anywhere is parsed,
//! also one that a stronger source replaces; the problems are collected; and a [`Settings`] exists
//! only when there are none.
//!
//! The environment and the arguments are handed in: nothing here reads global state.

pub mod problem;
pub mod reference;
pub mod registry;
pub mod source;
pub mod value;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use front_end::transport::{ListenUrl, Scheme};
pub use problem::{BadSettings, Problem};
pub use source::{Given, Origin, Raw};
pub use value::{LogFormat, Mode, Secret, SecretKey, TransactionMode};

use registry::{Preset, Setting};

/// All settings, checked: what is here can be used as it stands.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The command that was given: it decides the defaults.
    pub mode: Mode,
    /// Where to accept connections; at least one, no two alike.
    pub listen: Vec<ListenUrl>,
    /// Where state is kept. `None`, possible in [`Mode::Dev`] only, is a temporary directory
    /// that is removed at exit.
    pub data_dir: Option<PathBuf>,
    /// The built-in catalog to serve, unless there is a [`Settings::catalog`].
    pub appliance: String,
    /// The directory of a catalog to serve in the place of a built-in one.
    pub catalog: Option<PathBuf>,
    /// Plain http may be spoken on addresses other machines can reach.
    pub insecure_http: bool,
    /// `log.*`
    pub log: LogSettings,
    /// `transactions.*`
    pub transactions: TransactionSettings,
    /// `sps.*`
    pub sps: SpsSettings,
    /// `limits.*`
    pub limits: Limits,
    /// `login.*`
    pub login: LoginSettings,
    /// `tls.*`: the certificate to serve; `None` is one generated at first start.
    pub tls: Option<TlsFiles>,
    /// `secrets.*`
    pub secrets: SecretsSettings,
    /// `store.*`
    pub store: StoreSettings,
    /// `history.*`
    pub history: HistorySettings,
    /// The administrator's password, if it was given; always there in [`Mode::Dev`].
    pub admin_password: Option<Secret>,
    /// The key that seals secrets, if it was given; it goes before [`SecretsSettings::key_file`].
    pub secret_key: Option<SecretKey>,
    /// Only one of the two may have been given while the sources are read; see [`Settings::tls`].
    tls_given: TlsGiven,
}

/// `log.*`
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Which events are written, in the directives of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// How they are written.
    pub format: LogFormat,
}

/// `transactions.*`
#[derive(Clone, Debug)]
pub struct TransactionSettings {
    /// As given.
    pub mode: TransactionMode,
}

/// `sps.*`
#[derive(Clone, Debug)]
pub struct SpsSettings {
    /// A `PUT /api/transaction` without a body commits, instead of being refused.
    pub lenient_commit: bool,
    /// `firmware_version` of `/api/info`, if it is another than the catalog's.
    pub firmware_version: Option<String>,
    /// `version` of `/api/info`, if it is another than the catalog's.
    pub version: Option<String>,
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

/// `login.*`
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// So many failures within [`LoginSettings::window`] block an address and user.
    pub failures: u32,
    /// The time over which failures are counted.
    pub window: Duration,
    /// How long the block lasts.
    pub block: Duration,
    /// When a session that is not used ends; `None`: the configuration's
    /// `management/webinterface.timeout` says so.
    pub idle: Option<Duration>,
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
    /// A checkpoint of the whole tree is written each time so many revisions were committed.
    pub checkpoint_revisions: u64,
}

/// `history.*`
#[derive(Clone, Debug)]
pub struct HistorySettings {
    /// So many revisions are kept at least.
    pub keep_revisions: u64,
    /// Older ones go although they are fewer; 0 is no such limit.
    pub keep_days: u64,
    /// How long the answer of a commit is kept for a retry.
    pub idempotency: Duration,
}

/// The two halves of [`TlsFiles`] as the sources name them.
#[derive(Clone, Debug, Default)]
struct TlsGiven {
    certificate: Option<PathBuf>,
    private_key: Option<PathBuf>,
}

/// What the settings are made from, weakest source first.
#[derive(Debug)]
pub struct Sources {
    /// `dev` or `serve`.
    pub mode: Mode,
    /// `--config FILE`.
    pub config_file: Option<PathBuf>,
    /// The whole environment; variables that do not begin with `BOXWOOD_` are passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// What flags gave, weakest first.
    pub flags: Vec<Given>,
}

impl Settings {
    /// The settings that the sources come to.
    ///
    /// # Errors
    ///
    /// All that is wrong in any of the sources, in the order of the sources.
    pub fn resolve(sources: Sources) -> Result<Settings, BadSettings> {
        let Sources { mode, config_file, environment, flags } = sources;
        let mut problems = Vec::new();
        let mut given = Vec::new();
        if let Some(path) = &config_file {
            source::read_file(path, &mut given, &mut problems);
        }
        let secrets = source::read_environment(environment, &mut given, &mut problems);
        given.extend(flags);

        let mut settings = Settings::unset(mode);
        for setting in registry::REGISTRY {
            let default = Raw::Spelled(setting.default_in(mode).to_owned());
            problems.extend(setting.apply(&mut settings, &default, &Origin::Default));
        }
        let mut origins = BTreeMap::new();
        for Given { name, raw, origin } in given {
            match registry::find(&name) {
                Some(setting) => {
                    problems.extend(setting.apply(&mut settings, &raw, &origin));
                    origins.insert(setting.name, origin);
                }
                None => problems.push(Problem::unknown(&name, origin)),
            }
        }
        settings.admin_password = secrets.admin_password.or_else(|| match mode {
            Mode::Dev => Some(Secret::new("admin")),
            Mode::Serve => None,
        });
        settings.secret_key = secrets.secret_key;
        settings.check_together(&origins, &mut problems);
        problems.sort_by(|a, b| a.origin.place().cmp(&b.origin.place()));
        match problems.is_empty() {
            true => Ok(settings),
            false => Err(BadSettings { problems }),
        }
    }

    /// The file with the sealing key of a store in `data_dir`.
    pub fn key_file(&self, data_dir: &Path) -> PathBuf {
        self.secrets.key_file.clone().unwrap_or_else(|| data_dir.join("secret.key"))
    }

    /// Rules about more than one setting. Each problem points at the setting that was given last.
    fn check_together(
        &mut self,
        origins: &BTreeMap<&'static str, Origin>,
        problems: &mut Vec<Problem>,
    ) {
        let origin = |name: &str| origins.get(name).cloned().unwrap_or(Origin::Default);
        for (place, url) in self.listen.iter().enumerate() {
            let refusal = if self.mode == Mode::Dev && !url.is_loopback() {
                Some(format!(
                    "`listen` has {url}, which other machines can reach; `boxwood dev` has a known \
                     password and listens on loopback addresses only: use `boxwood serve` instead"
                ))
            } else if url.scheme == Scheme::Http && !url.is_loopback() && !self.insecure_http {
                Some(format!(
                    "`listen` has {url}, where passwords would cross the network in clear; plain \
                     http is for loopback addresses: use https, or set `insecure_http` to true"
                ))
            } else if url.port != 0
                && self.listen[..place]
                    .iter()
                    .any(|other| other.port == url.port && other.host == url.host)
            {
                Some(format!("`listen` has {}:{} twice", url.host, url.port))
            } else {
                None
            };
            problems
                .extend(refusal.map(|message| Problem::new("listen", origin("listen"), message)));
        }
        if self.mode == Mode::Serve && self.data_dir.is_none() {
            problems.push(Problem::new(
                "data_dir",
                origin("data_dir"),
                "`data_dir` is empty; `boxwood serve` keeps its state in a directory: name one",
            ));
        }
        if self.catalog.is_some() && origins.contains_key("appliance") {
            problems.push(Problem::new(
                "catalog",
                origin("catalog"),
                "`catalog` is given beside `appliance`; give the one or the other: a directory, or \
                 the name of a built-in catalog",
            ));
        }
        let TlsGiven { certificate, private_key } = std::mem::take(&mut self.tls_given);
        let half = match (certificate, private_key) {
            (Some(certificate), Some(private_key)) => {
                self.tls = Some(TlsFiles { certificate, private_key });
                None
            }
            (Some(_), None) => Some(("tls.certificate", "tls.private_key")),
            (None, Some(_)) => Some(("tls.private_key", "tls.certificate")),
            (None, None) => None,
        };
        // When the other half was given and refused, its own problem says more than this one.
        if let Some((there, missing)) = half
            && !problems.iter().any(|problem| problem.setting == missing)
        {
            problems.push(Problem::new(
                missing,
                origin(there),
                format!("`{there}` is given without `{missing}`; give both, or neither"),
            ));
        }
    }

    /// The struct before any default is applied. The registry overwrites every field; a test
    /// compares the outcome with a list, so that a forgotten one shows.
    fn unset(mode: Mode) -> Settings {
        let no_time = Duration::ZERO;
        Settings {
            mode,
            listen: Vec::new(),
            data_dir: None,
            appliance: String::new(),
            catalog: None,
            insecure_http: false,
            log: LogSettings { filter: String::new(), format: LogFormat::Auto },
            transactions: TransactionSettings { mode: TransactionMode::Auto },
            sps: SpsSettings { lenient_commit: false, firmware_version: None, version: None },
            limits: Limits {
                head_bytes: 0,
                headers: 0,
                body_bytes: 0,
                import_bytes: 0,
                json_depth: 0,
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
            login: LoginSettings { failures: 0, window: no_time, block: no_time, idle: None },
            tls: None,
            secrets: SecretsSettings { key_file: None },
            store: StoreSettings { cache_bytes: 0, checkpoint_revisions: 0 },
            history: HistorySettings { keep_revisions: 0, keep_days: 0, idempotency: no_time },
            admin_password: None,
            secret_key: None,
            tls_given: TlsGiven::default(),
        }
    }
}

impl Setting {
    /// The default, as text, under the given command.
    pub fn default_in(&self, mode: Mode) -> &'static str {
        match (self.default, mode) {
            (Preset::Same(text), _) => text,
            (Preset::PerMode { serve, .. }, Mode::Serve) => serve,
            (Preset::PerMode { dev, .. }, Mode::Dev) => dev,
        }
    }
}

#[cfg(test)]
mod tests;
