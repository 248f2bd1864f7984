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
    Administrator, Appliance, Blueprint, Ground, Head, Metrics, Process, ProcessOptions, Router,
    UnknownDialect,
};
use tokio::signal::unix::{SignalKind, signal};
use transaction_engine::clock::{Clock, SystemClock};
use transaction_engine::secrets::{KeyError, Sealer};
use transaction_engine::store::{CheckpointDir, MemStore, SledStore, Store, StoreError};
use transaction_engine::{Engine, HistoryRules, MessageRule, Options};

use crate::administrator::{self, AdministratorError};
use crate::appliance::{self, ApplianceError};
use crate::certificate::{self, CertificateError};
use crate::data_dir::{DataDir, Place};
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
    /// One of several appliances.
    #[error("{appliance}: {error}")]
    Of {
        /// Its name.
        appliance: String,
        /// What is wrong with it.
        error: Box<DaemonError>,
    },
    /// Two catalogs have one name.
    #[error("the appliance {0} is served twice")]
    Twice(String),
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
pub fn run(settings: Settings) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| DaemonError::System("the runtime could not be started", error))?;
    runtime.block_on(serve(settings))
}

async fn serve(mut settings: Settings) -> Result<(), DaemonError> {
    // First of all: a signal during the start is followed as soon as there is something to stop,
    // instead of ending the process with a temporary directory left behind.
    let mut stop = StopSignals::listen()?;
    let mut bound = Vec::new();
    for listener in &settings.listen {
        bound.push((listener.appliance.clone(), listener.url.bind().await?));
    }
    let catalogs = appliance::catalogs(&settings)?;
    let data = DataDir::of(&settings).map_err(DaemonError::Temporary)?;
    let opened = open_all(&settings, &data, &catalogs)?;
    let given = settings.admin_password.take();
    let password_hash = administrator::keep(data.path(), given.as_ref(), tell_password)?;
    // It is known by its hash from here on.
    drop(given);
    let administrator = Administrator { name: administrator::NAME.to_owned(), password_hash };
    let process = Arc::new(Process::new(process_options(&settings), administrator)?);
    let several = opened.len() > 1;
    let appliances: Vec<Arc<Appliance>> = opened
        .into_iter()
        .map(|one| Arc::new(one.into_appliance(several, Arc::clone(&process))))
        .collect();

    let (sites, lines) = sites(bound, &settings.appliances, &appliances);
    let server = Server::start(sites, limits(&settings));
    let expiry: Vec<_> = appliances
        .iter()
        .map(|appliance| {
            let appliance = Arc::clone(appliance);
            tokio::spawn(async move { appliance.expire_sessions().await })
        })
        .collect();
    say_ready(&lines)
        .map_err(|error| DaemonError::System("cannot print that it is ready", error))?;

    let signal = stop.wait().await;
    tracing::info!(signal, "stopping");
    let drained = server.drain().await;
    tracing::info!(finished = drained.finished, cut_off = drained.cut_off, "listeners drained");
    expiry.iter().for_each(tokio::task::JoinHandle::abort);
    appliances.iter().for_each(|appliance| appliance.end_sessions());
    // Waits for the writers, which write checkpoints: not for a runtime's thread.
    let stopping = move || {
        for appliance in &appliances {
            appliance.heads().iter().for_each(|head| head.engine.shutdown());
            appliance.engine().shutdown();
        }
    };
    let stopped = tokio::task::spawn_blocking(stopping).await;
    drop(stopped);
    tracing::info!("stopped");
    Ok(())
}

// The listeners with what answers on them, and the lines that say where they are. With several
// appliances each line ends with the name of its own.
fn sites(
    bound: Vec<(Option<String>, BoundListener)>,
    names: &[String],
    appliances: &[Arc<Appliance>],
) -> (Vec<Site<Router>>, Vec<String>) {
    let routers: Vec<_> =
        appliances.iter().map(|one| Arc::new(Router::new(Arc::clone(one)))).collect();
    let mut sites = Vec::new();
    let mut lines = Vec::new();
    for (name, bound) in bound {
        let at = names.iter().position(|known| Some(known) == name.as_ref()).unwrap_or_default();
        // As many as there are names, but for a catalog from a directory, which is alone.
        let (Some(appliance), Some(router)) = (appliances.get(at), routers.get(at)) else {
            continue;
        };
        lines.push(match appliances.len() {
            1 => bound.to_string(),
            _ => format!("{bound} {}", appliance.name()),
        });
        sites.push(Site {
            bound,
            handler: Arc::clone(router),
            tls: Arc::clone(appliance.certificate()),
            metrics: appliance.metrics().clone(),
        });
    }
    (sites, lines)
}

/// An appliance whose configuration is open.
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    blueprint: Blueprint,
    certificate: Arc<CertificateSlot>,
}

impl Opened {
    fn into_appliance(self, one_of_several: bool, process: Arc<Process>) -> Appliance {
        let Self { engine, blueprint, certificate } = self;
        let metrics = match one_of_several {
            true => Metrics::of_appliance(engine.catalog().name()),
            false => Metrics::new(),
        };
        Appliance::new(blueprint, Arc::new(engine), certificate, metrics, process)
    }
}

/// Opens the configurations in a data directory, which nobody else can open as long as one of them
/// lives.
pub(crate) fn open_all(
    settings: &Settings,
    data: &DataDir,
    catalogs: &[Arc<Catalog>],
) -> Result<Vec<Opened>, DaemonError> {
    let root = data.store(settings)?;
    let places = data.places(catalogs)?;
    let sealer = data.sealer(settings)?;
    let mut root = Some(root);
    let mut opened = Vec::new();
    // Those that need the root's store before the one that takes it.
    let mut stores = Vec::new();
    for place in &places {
        stores.push(root.as_ref().map(|root| place.store(root)).transpose()?.flatten());
    }
    for ((catalog, place), own) in catalogs.iter().zip(&places).zip(stores) {
        let Some(store) = own.or_else(|| root.take()) else {
            return Err(DaemonError::Twice(catalog.name().to_owned()));
        };
        let one = open(settings, &sealer, catalog, place, store);
        opened.push(one.map_err(|error| match catalogs.len() {
            1 => error,
            _ => DaemonError::Of { appliance: catalog.name().to_owned(), error: Box::new(error) },
        })?);
    }
    Ok(opened)
}

fn open(
    settings: &Settings,
    of_all: &Arc<Sealer>,
    catalog: &Arc<Catalog>,
    place: &Place,
    store: SledStore,
) -> Result<Opened, DaemonError> {
    let sealer = place.sealer(of_all);
    let medium = Medium::Kept { store, place };
    let opened = engine_on(medium, settings, sealer, catalog)?;
    appliance::keep_name(&place.folder, catalog)?;
    show_own_certificate(settings, &place.folder, &opened)?;
    Ok(opened)
}

/// A fresh configuration that is kept nowhere, with the key of a data directory: by its rules
/// things can be tried out.
pub(crate) fn fresh_engine(
    settings: &Settings,
    data: &DataDir,
    catalog: &Arc<Catalog>,
) -> Result<Engine, DaemonError> {
    let sealer = data.sealer(settings)?;
    let place = data.places(std::slice::from_ref(catalog))?.pop();
    let sealer = place.map_or_else(|| Arc::clone(&sealer), |place| place.sealer(&sealer));
    let opened = engine_on(Medium::Memory, settings, sealer, catalog)?;
    Ok(opened.engine)
}

/// Where an appliance's engines keep their revisions.
enum Medium<'a> {
    /// In a data directory.
    Kept {
        /// The running head's.
        store: SledStore,
        /// The appliance's place.
        place: &'a Place,
    },
    /// Nowhere.
    Memory,
}

/// Where one engine keeps its revisions and its checkpoints.
type Kept = (Box<dyn Store>, Option<CheckpointDir>);

impl Medium<'_> {
    /// That of a head other than the running one.
    fn head(&self, name: &str) -> Result<Kept, StoreError> {
        let Self::Kept { store, place } = self else {
            return Ok((Box::new(MemStore::new()), None));
        };
        let (store, checkpoints) = place.head(store, name)?;
        Ok((Box::new(store), Some(checkpoints)))
    }

    /// That of the running head.
    fn running(self) -> Result<Kept, StoreError> {
        let Self::Kept { store, place } = self else {
            return Ok((Box::new(MemStore::new()), None));
        };
        let checkpoints = place.checkpoints()?;
        Ok((Box::new(store), Some(checkpoints)))
    }

    fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Kept { place, .. } => Some(place.folder.clone()),
            Self::Memory => None,
        }
    }
}

fn engine_on(
    medium: Medium<'_>,
    settings: &Settings,
    sealer: Arc<Sealer>,
    catalog: &Arc<Catalog>,
) -> Result<Opened, DaemonError> {
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
        data_dir: medium.folder(),
    };
    let mut blueprint = front_end::blueprint(ground, settings.dialects.clone())?;
    let options = |(store, checkpoints): Kept| Options {
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
        log_opened(&engine, name);
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
    log_opened(&engine, "running");
    blueprint.take_heads(heads);
    Ok(Opened { engine, blueprint, certificate })
}

fn log_opened(engine: &Engine, head: &str) {
    let appliance = engine.catalog().name();
    for warning in engine.recovery_warnings() {
        tracing::warn!(appliance, head, warning, "while opening the store");
    }
    let revision = engine.running().number.get();
    tracing::info!(appliance, head, revision, "configuration opened");
}

fn hosts(settings: &Settings) -> Vec<String> {
    let mut hosts: Vec<_> = settings.listen.iter().map(|one| one.url.host.clone()).collect();
    hosts.dedup();
    hosts
}

// A catalog need not have a place for the server's certificate. One that the configuration names
// and that cannot be served is another matter, and not hidden by showing something else.
fn show_own_certificate(
    settings: &Settings,
    folder: &Path,
    opened: &Opened,
) -> Result<(), CertificateError> {
    let needed = settings.listen.iter().any(|one| one.url.scheme == Scheme::Https);
    let Opened { engine, blueprint, certificate: slot } = opened;
    if !needed || slot.is_filled() || blueprint.names_certificate(&engine.running().tree) {
        return Ok(());
    }
    certificate::keep(folder, &hosts(settings), engine.clock().now(), slot)
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
