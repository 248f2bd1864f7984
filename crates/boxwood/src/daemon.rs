//! From settings to a running daemon, and back to nothing.
//!
//! The order matters. Sockets are bound before the store is opened, so that a port that is taken
//! costs nothing; the store is opened before any other file in the data directory, since its lock
//! keeps a second process out; ready lines come when requests can be answered; and at the end the
//! listeners drain before sessions and writer stop.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::Catalog;
use front_end::throttle::ThrottleRules;
use front_end::transport::{
    BindError, BoundListener, CertificateSlot, Limits, Server, Site, TlsError,
};
use front_end::{
    Administrator, Appliance, Blueprint, DialectSettings, Ground, Head, Metrics, Process,
    ProcessOptions, Router, SpsSettings, UnknownDialect,
};
use tokio::signal::unix::{SignalKind, signal};
use transaction_engine::clock::{Clock, SystemClock};
use transaction_engine::secrets::{KeyError, Sealer};
use transaction_engine::store::{CheckpointDir, MemStore, SledStore, Store, StoreError};
use transaction_engine::{Engine, HistoryRules, MessageRule, Options};

use crate::administrator::{self, AdministratorError};
use crate::appliance::{self, ApplianceError};
use crate::certificate::{self, CertificateError};
use crate::settings::{Scheme, Settings};

/// Why the daemon did not start, or did not stop well.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A listener could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The temporary directory could not be made.
    #[error("no temporary directory could be made: {0}")]
    Temporary(#[source] io::Error),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key that seals secrets cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no administrator.
    #[error(transparent)]
    Administrator(#[from] AdministratorError),
    /// There is no catalog, or it has faults.
    #[error(transparent)]
    Appliance(#[from] ApplianceError),
    /// The catalog names an unknown dialect.
    #[error(transparent)]
    Dialect(#[from] UnknownDialect),
    /// The configuration could not be opened or brought up to the catalog.
    #[error("the configuration cannot be opened: {0}")]
    Engine(#[from] transaction_engine::Error),
    /// The certificate that is kept in files cannot be served.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// No certificate could be made for the configuration.
    #[error("no certificate could be made: {0}")]
    Mint(#[from] TlsError),
    /// Something the system refused.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// Password hashing is not available.
    #[error(transparent)]
    Password(#[from] front_end::password::PasswordError),
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// See [`DaemonError`]; whatever was opened is closed again.
pub fn run(settings: &Settings) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| DaemonError::System("the runtime could not be started", error))?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: &Settings) -> Result<(), DaemonError> {
    // First of all: a signal during the start is followed as soon as there is something to stop,
    // instead of ending the process with a temporary directory left behind.
    let mut stop = StopSignals::listen()?;
    let mut bound = Vec::new();
    for url in &settings.listen {
        bound.push(url.bind().await?);
    }
    let catalog = Arc::new(appliance::catalog(settings)?);
    let data = DataDir::of(settings)?;
    let (engine, parts) = open_engine(settings, data.path(), &catalog)?;
    show_own_certificate(settings, data.path(), &engine, &parts)?;
    let engine = Arc::new(engine);
    let given = settings.admin_password.as_ref();
    let password_hash = administrator::keep(data.path(), given, tell_password)?;
    let administrator = Administrator { name: administrator::NAME.to_owned(), password_hash };
    let process = Arc::new(Process::new(process_options(settings), administrator)?);
    let Parts { blueprint, certificate } = parts;
    let engine_of = Arc::clone(&engine);
    let appliance = Appliance::new(blueprint, engine_of, certificate, Metrics::new(), process);
    let appliance = Arc::new(appliance);

    let lines: Vec<String> = bound.iter().map(BoundListener::to_string).collect();
    let server = Server::start(sites(bound, &appliance), limits(settings));
    let expiry = tokio::spawn({
        let appliance = Arc::clone(&appliance);
        async move { appliance.expire_sessions().await }
    });
    say_ready(&lines)
        .map_err(|error| DaemonError::System("cannot print that it is ready", error))?;

    let signal = stop.wait().await;
    tracing::info!(signal, "stopping");
    let drained = server.drain().await;
    tracing::info!(finished = drained.finished, cut_off = drained.cut_off, "listeners drained");
    expiry.abort();
    appliance.end_sessions();
    // Waits for the writers and writes checkpoints: not for a runtime's thread.
    let stopped = tokio::task::spawn_blocking(move || {
        appliance.heads().iter().for_each(|head| head.engine.shutdown());
        engine.shutdown();
    })
    .await;
    drop(stopped);
    tracing::info!("stopped");
    Ok(())
}

fn sites(bound: Vec<BoundListener>, appliance: &Arc<Appliance>) -> Vec<Site<Router>> {
    let router = Arc::new(Router::new(Arc::clone(appliance)));
    let site = |bound| Site {
        bound,
        handler: Arc::clone(&router),
        tls: Arc::clone(appliance.certificate()),
        metrics: appliance.metrics().clone(),
    };
    bound.into_iter().map(site).collect()
}

/// What engine and front end share.
pub(crate) struct Parts {
    blueprint: Blueprint,
    certificate: Arc<CertificateSlot>,
}

/// Opens the configuration in a data directory, which nobody else can open as long as it lives.
pub(crate) fn open_engine(
    settings: &Settings,
    data_dir: &Path,
    catalog: &Arc<Catalog>,
) -> Result<(Engine, Parts), DaemonError> {
    let store = SledStore::open(data_dir, settings.store.cache_bytes)?;
    appliance::expect_kept_name(data_dir, catalog)?;
    let opened = engine_on(Medium::Kept(store), settings, data_dir, catalog)?;
    appliance::keep_name(data_dir, catalog)?;
    Ok(opened)
}

/// A fresh configuration that is kept nowhere, with the key of a data directory: by its rules
/// things can be tried out.
pub(crate) fn fresh_engine(
    settings: &Settings,
    data_dir: &Path,
    catalog: &Arc<Catalog>,
) -> Result<Engine, DaemonError> {
    let (engine, _) = engine_on(Medium::Memory, settings, data_dir, catalog)?;
    Ok(engine)
}

/// Where an appliance's engines keep their revisions.
enum Medium {
    /// In a data directory.
    Kept(SledStore),
    /// Nowhere.
    Memory,
}

/// Where one engine keeps its revisions and its checkpoints.
type Place = (Box<dyn Store>, Option<CheckpointDir>);

impl Medium {
    /// The place of a head other than the running one.
    fn head(&self, name: &str) -> Result<Place, StoreError> {
        let Self::Kept(store) = self else { return Ok((Box::new(MemStore::new()), None)) };
        let folder = store.data_dir().join("heads").join(name);
        let checkpoints = CheckpointDir::open(folder.join("checkpoints"))?;
        Ok((Box::new(store.sibling(&format!("heads/{name}"))?), Some(checkpoints)))
    }

    /// The place of the running head.
    fn running(self) -> Result<Place, StoreError> {
        let Self::Kept(store) = self else { return Ok((Box::new(MemStore::new()), None)) };
        let checkpoints = CheckpointDir::open(store.data_dir().join("checkpoints"))?;
        Ok((Box::new(store), Some(checkpoints)))
    }
}

fn engine_on(
    medium: Medium,
    settings: &Settings,
    data_dir: &Path,
    catalog: &Arc<Catalog>,
) -> Result<(Engine, Parts), DaemonError> {
    let sealer = Arc::new(sealer(settings, data_dir)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let certificate = Arc::new(match &settings.tls {
        Some(files) => certificate::from_files(&files.certificate, &files.private_key)?,
        None => CertificateSlot::default(),
    });
    let ground = Ground {
        catalog: Arc::clone(catalog),
        clock: Arc::clone(&clock),
        secrets: Arc::clone(&sealer) as _,
        certificate: Arc::clone(&certificate),
        certificate_fixed: settings.tls.is_some(),
        hosts: hosts(settings),
        administrator: administrator::NAME.to_owned(),
        idle: settings.login.idle,
        data_dir: Some(data_dir.to_owned()),
    };
    let mut blueprint = front_end::blueprint(ground, dialect_settings(settings))?;
    let options = |(store, checkpoints): Place| Options {
        catalog: Arc::clone(catalog),
        store,
        checkpoints,
        checkpoint_every: settings.store.checkpoint_revisions,
        sealer: Arc::clone(&sealer),
        clock: Arc::clone(&clock),
        mode: appliance::transaction_mode(settings, catalog),
        change_limit: settings.limits.transaction_changes,
        history: history_rules(settings, None),
        appliers: Vec::new(),
    };
    let mut heads = Vec::new();
    for name in blueprint.heads() {
        // A default that is made, such as a certificate, is made for the running head alone.
        let engine = Engine::open(options(medium.head(name)?), &mut |_, _| None)?;
        tell_opened(&engine, name);
        heads.push(Head { name, engine: Arc::new(engine) });
    }
    let running = Options {
        history: history_rules(settings, blueprint.message_rule()),
        appliers: blueprint.appliers(),
        ..options(medium.running()?)
    };
    let engine =
        Engine::open(running, &mut |collection, name| blueprint.generate(collection, name));
    if let Some(failure) = blueprint.failure() {
        return Err(failure.into());
    }
    let engine = engine?;
    tell_opened(&engine, "running");
    blueprint.take_heads(heads);
    Ok((engine, Parts { blueprint, certificate }))
}

fn tell_opened(engine: &Engine, head: &str) {
    for warning in engine.recovery_warnings() {
        tracing::warn!(warning, head, "while opening the store");
    }
    tracing::info!(revision = engine.running().number.get(), head, "configuration opened");
}

fn hosts(settings: &Settings) -> Vec<String> {
    settings.listen.iter().map(|url| url.host.clone()).collect()
}

// A catalog need not have a place for the server's certificate. One that the configuration names
// and that cannot be served is another matter, and not hidden by showing something else.
fn show_own_certificate(
    settings: &Settings,
    data_dir: &Path,
    engine: &Engine,
    parts: &Parts,
) -> Result<(), CertificateError> {
    let needed = settings.listen.iter().any(|url| url.scheme == Scheme::Https);
    let Parts { blueprint, certificate: slot } = parts;
    if !needed || slot.is_filled() || blueprint.names_certificate(&engine.running().tree) {
        return Ok(());
    }
    certificate::keep(data_dir, &hosts(settings), engine.clock().now(), slot)
}

fn history_rules(settings: &Settings, message_required: Option<MessageRule>) -> HistoryRules {
    let days = settings.history.keep_days;
    HistoryRules {
        revisions: settings.history.keep_revisions,
        age: (days > 0).then(|| std::time::Duration::from_secs(days * 86_400)),
        answers: settings.history.idempotency,
        message_required,
    }
}

fn sealer(settings: &Settings, data_dir: &Path) -> Result<Sealer, KeyError> {
    let check = data_dir.join("secret.check");
    let sealer = match &settings.secret_key {
        Some(key) => Sealer::from_key(key.expose()),
        None => Sealer::from_file(&settings.key_file(data_dir), &check)?,
    };
    sealer.keep_check(&check)?;
    Ok(sealer)
}

fn process_options(settings: &Settings) -> ProcessOptions {
    ProcessOptions {
        limits: limits(settings),
        import_bytes: settings.limits.import_bytes,
        throttle: ThrottleRules {
            failures: settings.login.failures as usize,
            window: settings.login.window,
            block: settings.login.block,
            ..ThrottleRules::default()
        },
        sessions: settings.limits.sessions,
    }
}

fn dialect_settings(settings: &Settings) -> DialectSettings {
    let sps = SpsSettings {
        lenient_commit: settings.sps.lenient_commit,
        firmware_version: settings.sps.firmware_version.clone(),
        version: settings.sps.version.clone(),
    };
    DialectSettings { sps }
}

fn limits(settings: &Settings) -> Limits {
    let given = &settings.limits;
    Limits {
        head_bytes: given.head_bytes,
        headers: given.headers,
        body_bytes: given.body_bytes,
        json_depth: given.json_depth,
        header_timeout: given.header_time,
        body_timeout: given.body_time,
        tls_timeout: given.tls_time,
        connections: given.connections,
        connections_per_address: given.connections_per_address,
        drain_timeout: given.drain_time,
        http2_streams: given.http2_streams,
    }
}

/// The directory that holds everything; a temporary one goes away with the value.
enum DataDir {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl DataDir {
    fn of(settings: &Settings) -> Result<Self, DaemonError> {
        match &settings.data_dir {
            Some(path) => Ok(Self::Kept(path.clone())),
            None => {
                let made = tempfile::Builder::new().prefix("boxwood-").tempdir();
                made.map(Self::Temporary).map_err(DaemonError::Temporary)
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

// Exactly one line for each listener, flushed, and nothing else on standard output: scripts wait
// for it and read the address from it.
fn say_ready(addresses: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for address in addresses {
        writeln!(out, "boxwood ready {address}")?;
    }
    out.flush()
}

// To standard error, not to the log: a log is kept and forwarded.
fn tell_password(password: &str) {
    let name = administrator::NAME;
    let mut errors = io::stderr().lock();
    // Nobody to tell it to is no reason not to start; the password can be set again.
    let _ = writeln!(
        errors,
        "boxwood: a password was made up for {name} and is shown this once: {password}\n\
         boxwood: to choose one yourself, start with BOXWOOD_ADMIN_PASSWORD"
    );
}

struct StopSignals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> Result<Self, DaemonError> {
        let on = |kind| {
            signal(kind).map_err(|error| DaemonError::System("cannot listen for signals", error))
        };
        Ok(Self { term: on(SignalKind::terminate())?, int: on(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}
