//! From settings to a running daemon, and back to nothing.
//!
//! The order matters. Sockets are bound before the store is opened, so that a port that is taken
//! costs nothing; the store is opened before any other file in the data directory, since its lock
//! keeps a second process out; ready lines come when requests can be answered; and at the end the
//! listeners drain before sessions and writer stop.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catalog::Catalog;
use front_end::throttle::ThrottleRules;
use front_end::transport::{BindError, BoundListener, Limits, ListenUrl, Server, Site};
use front_end::{
    Administrator, Appliance, Member, Metrics, Process, ProcessOptions, Router, Sending, Worlds,
    WorldsOptions,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use transaction_engine::Engine;
use transaction_engine::clock::{AdjustableClock, Clock, SystemClock};

use crate::administrator::{self, AdministratorError};
use crate::appliance::{self, ApplianceError};
use crate::backup::control;
use crate::backup::source::{Log, Part, Source};
use crate::banner;
use crate::certificate::Keeper;
use crate::data_dir::{DataDir, DataDirError, Home, Place};
use crate::engine::{OpenError, Opened, Opening};
use crate::port_holder::{self, Holder};
use crate::settings::{Mode, Secret, Settings};
use crate::supervisor::Supervisor;
use crate::telemetry;

/// How long the end of the daemon waits for what an appliance sends to be written down.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why the daemon did not start, or did not stop well.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A listener could not be bound.
    #[error(transparent)]
    Bind(BindError),
    /// The port of a listener is taken.
    #[error(
        "cannot listen on {url}: the port is in use{}; stop that process, or pass --listen \
         {free} for any free port, which the ready line then shows",
        holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default()
    )]
    Taken {
        /// The listener.
        url: ListenUrl,
        /// The same on any free port.
        free: ListenUrl,
        /// Who has the port, where that can be found out.
        holder: Option<Holder>,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// There is no administrator.
    #[error(transparent)]
    Administrator(#[from] AdministratorError),
    /// There is no catalog, or it has faults.
    #[error(transparent)]
    Appliance(#[from] ApplianceError),
    /// The configuration of the only appliance cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// That of one of several cannot be opened.
    #[error("the appliance {name} cannot be started: {source}")]
    OpenOne {
        /// Which one.
        name: String,
        /// Why.
        source: OpenError,
    },
    /// Something the system refused.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// Password hashing is not available.
    #[error(transparent)]
    Password(#[from] front_end::password::PasswordError),
}

/// Runs until SIGTERM, SIGINT or SIGQUIT; in `dev` also until SIGHUP.
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
    let mut signals = Signals::listen(settings.mode)?;
    let bound = bind(&settings).await?;
    let catalogs = catalogs(&settings)?;
    let data = DataDir::of(&settings)?;
    let password = settings.admin_password.take();
    let running = start(&settings, password, &data, &catalogs, bound)?;
    say_ready(&running.lines)
        .map_err(|error| DaemonError::System("cannot print that it is ready", error))?;
    banner::show(&settings, &running.lines);
    let supervisor = Supervisor::ready(&running.lines);

    let reload = || {
        // The log file first, so that what is reloaded is logged in the new one.
        telemetry::reopen();
        running.reload();
    };
    let signal = signals.stop(reload).await;
    tracing::info!(signal, "stopping");
    supervisor.stopping();
    let hurry = async move {
        let signal = signals.stop(|| ()).await;
        tracing::info!(signal, "stopping at once");
    };
    running.stop(hurry).await;
    tracing::info!("stopped");
    Ok(())
}

/// The listeners of each appliance.
async fn bind(settings: &Settings) -> Result<Vec<Vec<BoundListener>>, DaemonError> {
    let mut all = Vec::new();
    for own in &settings.appliances {
        let mut bound = Vec::new();
        for url in &own.listen {
            bound.push(url.bind().await.map_err(|error| unbound(url, error))?);
        }
        all.push(bound);
    }
    Ok(all)
}

/// Why a listener could not be bound; a port that is taken is the usual reason.
fn unbound(url: &ListenUrl, error: BindError) -> DaemonError {
    let system = std::error::Error::source(&error).and_then(|s| s.downcast_ref::<io::Error>());
    if system.is_none_or(|system| system.kind() != io::ErrorKind::AddrInUse) {
        return DaemonError::Bind(error);
    }
    let free = ListenUrl { port: 0, ..url.clone() };
    DaemonError::Taken { url: url.clone(), free, holder: port_holder::of(url.port) }
}

fn catalogs(settings: &Settings) -> Result<Vec<Arc<Catalog>>, ApplianceError> {
    settings.appliances.iter().map(|own| appliance::catalog(own).map(Arc::new)).collect()
}

/// What has been started and is to be stopped.
struct Running {
    server: Server,
    worlds: Arc<Worlds>,
    appliances: Vec<Arc<Appliance>>,
    keepers: Vec<Arc<Keeper>>,
    tasks: Vec<JoinHandle<()>>,
    acting: Vec<JoinHandle<()>>,
    lines: Vec<String>,
}

fn start(
    settings: &Settings,
    password: Option<Secret>,
    data: &DataDir,
    catalogs: &[Arc<Catalog>],
    bound: Vec<Vec<BoundListener>>,
) -> Result<Running, DaemonError> {
    let names: Vec<&str> = catalogs.iter().map(|catalog| catalog.name()).collect();
    let homes = data.open(&names, settings.store.cache_bytes)?;
    let places = homes.iter().map(Home::place).collect();
    let adjustable = (settings.mode == Mode::Dev).then(|| Arc::new(AdjustableClock::default()));
    let clock: Arc<dyn Clock> = match &adjustable {
        Some(clock) => Arc::clone(clock) as _,
        None => Arc::new(SystemClock),
    };
    let opened = open_all(settings, (data, &clock), catalogs, homes)?;
    let hash_file = data.administrator_hash();
    let password_hash = administrator::keep(&hash_file, password.as_ref(), show_password)?;
    // It is known by its hash from here on.
    drop(password);
    let administrator = Administrator { name: administrator::NAME.to_owned(), password_hash };
    let process = Arc::new(Process::new(process_options(settings), administrator)?);

    let (mut members, mut appliances, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    let mut keepers = Vec::new();
    let of_each = opened.into_iter().zip(&bound).zip(&names).zip(&settings.appliances);
    for (((opened, bound), name), own) in of_each {
        let Opened { engine, blueprint, certificate, source, folder } = opened;
        let (engine, process) = (Arc::new(engine), Arc::clone(&process));
        let metrics = match names.len() {
            1 => Metrics::new(),
            _ => Metrics::of_appliance(name),
        };
        let sending = sending(settings, folder);
        let appliance = Appliance::new(blueprint, engine, certificate, metrics, process, sending);
        let appliance = Arc::new(appliance);
        lines.extend(bound.iter().map(|listener| match names.len() {
            1 => listener.to_string(),
            _ => format!("{listener} {name}"),
        }));
        members.push(Member::new(Arc::clone(&appliance), bound));
        let (hosts, names) = (own.hosts(settings), settings.tls_names.clone());
        keepers.extend(
            source
                .map(|source| Arc::new(Keeper::new(Arc::clone(&appliance), source, hosts, names))),
        );
        appliances.push(appliance);
    }
    control::serve(backup_source(data, places, &appliances));
    let worlds = Arc::new(Worlds::new(members, worlds_options(settings, adjustable)));
    worlds.keep_seed().map_err(OpenError::Engine)?;
    let numbered = bound.into_iter().zip(&appliances).enumerate();
    let sites = numbered.flat_map(|(number, (bound, appliance))| {
        sites_of(bound, appliance, Router::new(Arc::clone(&worlds), number))
    });
    let sites = sites.collect();
    let server = Server::start(sites, limits(settings));
    let expire = |appliance: &Arc<Appliance>| {
        let appliance = Arc::clone(appliance);
        tokio::spawn(async move { appliance.expire_sessions().await })
    };
    let of_worlds = Arc::clone(&worlds);
    let keep_time = tokio::spawn(async move { of_worlds.keep_time().await });
    let expiries = appliances.iter().map(expire).chain([keep_time]);
    let tasks = expiries.chain(keepers.iter().map(keep_certificate)).collect();
    let act = |appliance: &Arc<Appliance>| tokio::spawn(Arc::clone(appliance.acting()).run());
    let acting = appliances.iter().map(act).collect();
    Ok(Running { server, worlds, appliances, keepers, tasks, acting, lines })
}

/// What goes into a backup of the running daemon: every head of every appliance.
fn backup_source(data: &DataDir, places: Vec<Place>, appliances: &[Arc<Appliance>]) -> Source {
    let mut parts = Vec::new();
    for (place, appliance) in places.iter().zip(appliances) {
        let mut add = |head: Option<&str>, engine: &Arc<Engine>| {
            let (store, checkpoints) = place.store(head);
            let name = head.map_or(place.name.clone(), |head| format!("{}, {head}", place.name));
            parts.push(Part {
                name,
                store,
                checkpoints,
                log: Log::Running(Arc::downgrade(engine)),
            });
        };
        appliance.heads().iter().for_each(|head| add(Some(head.name), &head.engine));
        add(None, appliance.engine());
    }
    Source { root: data.path().to_owned(), places, parts }
}

/// Opens every appliance, or none: those that were opened are closed again when one is not.
fn open_all(
    settings: &Settings,
    (data, clock): (&DataDir, &Arc<dyn Clock>),
    catalogs: &[Arc<Catalog>],
    homes: Vec<Home>,
) -> Result<Vec<Opened>, DaemonError> {
    let mut all: Vec<Opened> = Vec::new();
    for ((own, catalog), home) in settings.appliances.iter().zip(catalogs).zip(homes) {
        let (catalog_of_it, clock) = (Arc::clone(catalog), Arc::clone(clock));
        let opening = Opening { settings, own, catalog: catalog_of_it, clock };
        match opening.open(data, home) {
            Ok(opened) => all.push(opened),
            Err(source) => {
                all.iter().for_each(|opened| opened.engine.shutdown());
                return Err(match catalogs {
                    [_] => source.into(),
                    _ => DaemonError::OpenOne { name: catalog.name().to_owned(), source },
                });
            }
        }
    }
    Ok(all)
}

/// Looks after a certificate until the task is aborted.
fn keep_certificate(keeper: &Arc<Keeper>) -> JoinHandle<()> {
    let keeper = Arc::clone(keeper);
    tokio::spawn(async move {
        loop {
            let looking = Arc::clone(&keeper);
            drop(tokio::task::spawn_blocking(move || looking.look(false)).await);
            tokio::time::sleep(Keeper::PAUSE).await;
        }
    })
}

impl Running {
    /// Reads again what may have changed: the files of certificates.
    fn reload(&self) {
        tracing::info!("reading the TLS certificate again");
        for keeper in &self.keepers {
            let keeper = Arc::clone(keeper);
            drop(tokio::task::spawn_blocking(move || keeper.look(true)));
        }
    }

    async fn stop(self, hurry: impl Future<Output = ()>) {
        let drained = self.server.drain_until(hurry).await;
        tracing::info!(finished = drained.finished, cut_off = drained.cut_off, "listeners drained");
        self.tasks.iter().for_each(JoinHandle::abort);
        self.worlds.end_all();
        for appliance in &self.appliances {
            appliance.acting().stop().await;
        }
        for task in self.acting {
            // What waits is in the queue; a server that hangs does not keep the daemon from ending.
            drop(tokio::time::timeout(LAST_WORDS, task).await);
        }
        self.appliances.iter().for_each(|appliance| appliance.end_sessions());
        // Waits for the writers and writes checkpoints: not for a runtime's thread.
        let appliances = self.appliances;
        let shutdown = move || {
            for appliance in &appliances {
                appliance.heads().iter().for_each(|head| head.engine.shutdown());
                appliance.engine().shutdown();
            }
        };
        drop(tokio::task::spawn_blocking(shutdown).await);
    }
}

/// What an appliance sends, and where that waits. Where nothing is sent, nothing waits.
fn sending(settings: &Settings, folder: Option<PathBuf>) -> Sending {
    let disk = folder.clone().unwrap_or_else(|| PathBuf::from("/"));
    let is_sent = settings.delivery.mode != delivery::Mode::Record;
    let place = folder.filter(|_| is_sent).map(|folder| folder.join("delivery"));
    Sending { settings: settings.delivery.clone(), place, disk }
}

fn sites_of(bound: Vec<BoundListener>, appliance: &Appliance, router: Router) -> Vec<Site<Router>> {
    let router = Arc::new(router);
    let site = |bound| Site {
        bound,
        handler: Arc::clone(&router),
        tls: Arc::clone(appliance.certificate()),
        metrics: appliance.metrics().clone(),
    };
    bound.into_iter().map(site).collect()
}

fn process_options(settings: &Settings) -> ProcessOptions {
    ProcessOptions {
        limits: limits(settings),
        import_bytes: settings.limits.import_bytes,
        throttle: ThrottleRules {
            failures: settings.login.failures as usize,
            window: settings.login.window,
            longest: settings.login.block,
            ..ThrottleRules::default()
        },
        proxies: settings.proxies.clone(),
        session_lifetime: settings.login.lifetime,
        sessions: settings.limits.sessions,
    }
}

fn worlds_options(settings: &Settings, clock: Option<Arc<AdjustableClock>>) -> WorldsOptions {
    let is_dev = settings.mode == Mode::Dev;
    WorldsOptions {
        most: settings.worlds.most,
        open_control: is_dev,
        main_is_temporary: is_dev && settings.data_dir.is_none(),
        clock,
    }
}

fn limits(settings: &Settings) -> Limits {
    let given = &settings.limits;
    Limits {
        head_bytes: given.head_bytes,
        headers: given.headers,
        body_bytes: given.body_bytes,
        json_depth: given.json_depth,
        violations: given.violations,
        answer_bytes: given.answer_bytes,
        waiting_bytes: given.waiting_bytes,
        waiting_bytes_per_address: given.waiting_bytes_per_address,
        waiting_bytes_per_connection: given.waiting_bytes_per_connection,
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
fn show_password(password: &str) {
    let name = administrator::NAME;
    // When nothing can be written there, the daemon still starts; the password can be set again.
    telemetry::tell(&format!(
        "boxwood: generated a password for {name}; it will not be shown again: {password}\n\
         boxwood: to choose one yourself, start with BOXWOOD_ADMIN_PASSWORD"
    ));
}

/// What a signal asks for.
enum Asked {
    /// To stop.
    Stop(&'static str),
    /// To read files again that may have changed.
    Reload,
    /// Nothing: the signal must not end the process either.
    Nothing(&'static str),
}

/// The signals that can be caught and would otherwise end the process.
struct Signals {
    stop: [(Signal, &'static str); 3],
    hangup: Signal,
    others: [(Signal, &'static str); 2],
    /// Whether SIGHUP says that the terminal is gone, and with it the one who wants the emulator.
    hangup_stops: bool,
}

impl Signals {
    fn listen(mode: Mode) -> Result<Self, DaemonError> {
        let on = |kind| {
            signal(kind).map_err(|error| DaemonError::System("cannot listen for signals", error))
        };
        Ok(Self {
            stop: [
                (on(SignalKind::terminate())?, "SIGTERM"),
                (on(SignalKind::interrupt())?, "SIGINT"),
                (on(SignalKind::quit())?, "SIGQUIT"),
            ],
            hangup: on(SignalKind::hangup())?,
            others: [
                (on(SignalKind::user_defined1())?, "SIGUSR1"),
                (on(SignalKind::user_defined2())?, "SIGUSR2"),
            ],
            hangup_stops: mode == Mode::Dev,
        })
    }

    async fn next(&mut self) -> Asked {
        let [(term, term_name), (int, int_name), (quit, quit_name)] = &mut self.stop;
        let [(user1, user1_name), (user2, user2_name)] = &mut self.others;
        tokio::select! {
            _ = term.recv() => Asked::Stop(term_name),
            _ = int.recv() => Asked::Stop(int_name),
            _ = quit.recv() => Asked::Stop(quit_name),
            _ = self.hangup.recv() => match self.hangup_stops {
                true => Asked::Stop("SIGHUP"),
                false => Asked::Reload,
            },
            _ = user1.recv() => Asked::Nothing(user1_name),
            _ = user2.recv() => Asked::Nothing(user2_name),
        }
    }

    /// Waits for a signal that asks to stop.
    async fn stop(&mut self, reload: impl Fn()) -> &'static str {
        loop {
            match self.next().await {
                Asked::Stop(name) => return name,
                Asked::Reload => reload(),
                Asked::Nothing(signal) => tracing::info!(signal, "the signal means nothing here"),
            }
        }
    }
}
