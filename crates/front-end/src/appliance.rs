//! An appliance: a catalog, a dialect, the engine behind them, its logins, its certificate.
//!
//! Handlers are given this and nothing more. What the appliances of a process share, and no more
//! than that, is in [`Process`].

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use transaction_engine::clock::Clock;
use transaction_engine::{Begin, Engine, Error as EngineError, Fork, Timestamp, chain};

use crate::acting::{Acting, Sending};
use crate::caller::Account;
use crate::client_address::Proxies;
use crate::credentials::Credentials;
use crate::dialect::{Blueprint, Dialect, Fixed, Head, Plan};
use crate::failure::Failure;
use crate::login_gate::LoginGate;
use crate::metrics::{LoginOutcome, Metrics};
use crate::password::{PasswordError, PasswordHasher};
use crate::presentation::Presentation;
use crate::remembered::Remembered;
use crate::session::{LoginLimits, Logins};
use crate::throttle::ThrottleRules;
use crate::transport::{CertificateSlot, Limits};
use crate::world::{KeptEngines, Start};

/// How long a session lasts without a request where the appliance does not say: one hour.
const OWN_IDLE_MICROS: i64 = 3_600_000_000;

/// How the appliances of a process behave.
#[derive(Clone, Debug)]
pub struct ProcessOptions {
    /// What clients may cost.
    pub limits: Limits,
    /// The largest configuration that can be imported at once, in bytes.
    pub import_bytes: usize,
    /// When logins have to wait.
    pub throttle: ThrottleRules,
    /// Who may name the client of a request.
    pub proxies: Proxies,
    /// The number of sessions that may be open on one appliance.
    pub sessions: usize,
    /// How long a session may last, however much it is used; `None`: as long as it is used.
    pub session_lifetime: Option<Duration>,
}

/// The administrator that is always there.
pub struct Administrator {
    /// The name to log in with.
    pub name: String,
    /// The PHC string of the password.
    pub password_hash: String,
}

/// What all appliances of a process share.
pub struct Process {
    pub(crate) options: ProcessOptions,
    pub(crate) administrator: Administrator,
    pub(crate) hasher: PasswordHasher,
    /// Numbers requests.
    pub(crate) requests: AtomicU64,
}

impl Process {
    /// Puts the shared parts together.
    ///
    /// # Errors
    /// The system must give random bytes.
    pub fn new(
        options: ProcessOptions,
        administrator: Administrator,
    ) -> Result<Self, PasswordError> {
        let (hasher, requests) = (PasswordHasher::new()?, AtomicU64::new(0));
        Ok(Self { options, administrator, hasher, requests })
    }
}

/// One appliance.
pub struct Appliance {
    pub(crate) name: Arc<str>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) logins: Arc<Logins>,
    pub(crate) metrics: Metrics,
    pub(crate) process: Arc<Process>,
    pub(crate) dialect: Box<dyn Dialect>,
    fixed: Fixed,
    pub(crate) acting: Arc<Acting>,
    certificate: Arc<CertificateSlot>,
    gate: LoginGate,
    remembered: Remembered,
}

impl Appliance {
    /// Puts an appliance together. Its name is that of its catalog.
    #[must_use]
    pub fn new(
        blueprint: Blueprint,
        engine: Arc<Engine>,
        certificate: Arc<CertificateSlot>,
        metrics: Metrics,
        process: Arc<Process>,
        sending: Sending,
    ) -> Self {
        let ProcessOptions { sessions, session_lifetime, throttle, .. } = process.options.clone();
        let limits = LoginLimits { count: sessions, lifetime: session_lifetime };
        let Blueprint { plan, fixed } = blueprint;
        let idle = plan.idle_micros();
        // An appliance without sessions of its own has those of Boxwood's API all the same.
        let _ = idle.compare_exchange(0, OWN_IDLE_MICROS, Ordering::Relaxed, Ordering::Relaxed);
        let logins = Arc::new(Logins::new(Arc::clone(&engine), limits, idle));
        let dialect = plan.build(&engine, &logins);
        let acting = Arc::new(Acting::new(&engine, dialect.acts(), sending));
        Self {
            name: engine.catalog().name().into(),
            gate: LoginGate::new(throttle),
            engine,
            logins,
            metrics,
            process,
            dialect,
            fixed,
            acting,
            certificate,
            remembered: Remembered::default(),
        }
    }

    /// What it does by itself.
    #[must_use]
    pub fn acting(&self) -> &Arc<Acting> {
        &self.acting
    }

    /// The name of the appliance.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its configuration.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Its heads other than the running one.
    #[must_use]
    pub fn heads(&self) -> &[Head] {
        self.dialect.heads()
    }

    /// The certificate that its listeners show.
    #[must_use]
    pub fn certificate(&self) -> &Arc<CertificateSlot> {
        &self.certificate
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Ends idle sessions at their time, for as long as the future is polled.
    pub async fn expire_sessions(&self) {
        self.logins.expire_in_time().await;
    }

    /// Ends every session with its transaction, for the end of the process.
    pub fn end_sessions(&self) {
        self.logins.end_all();
    }

    // ===== worlds =====

    /// The same appliance in another world. It shares what never changes and what is equal;
    /// nothing that a caller of this one has means anything there.
    pub(crate) fn fork(
        &self,
        start: Start<'_>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EngineError> {
        let is_current = matches!(start, Start::Running);
        let certificate = Arc::new(self.certificate.copied());
        let administrator = &self.process.administrator.name;
        let shown = (Arc::clone(&certificate), is_current);
        let ground = self.fixed.ground(&self.engine, administrator, shown, &clock);
        let mut plan = self.dialect.fork(ground);
        let fork = |engine: &Engine, begin, plan: Option<&dyn Plan>| {
            engine.fork(Fork {
                begin,
                clock: Arc::clone(&clock),
                message_required: plan.and_then(|plan| plan.message_rule()),
                appliers: plan.map(|plan| plan.appliers()).unwrap_or_default(),
            })
        };
        let (origin, begin) = match start {
            Start::Running => (&*self.engine, Begin::Running),
            Start::Origin => (&*self.engine, Begin::Origin),
            Start::At(number) => (&*self.engine, Begin::Revision(number)),
            Start::Kept(kept) => (&kept.running, Begin::Running),
        };
        let engine = Arc::new(fork(origin, begin, Some(&*plan))?);
        let mut heads = Vec::new();
        for (number, Head { name, engine: head }) in self.heads().iter().enumerate() {
            let (origin, begin) = match start {
                Start::Running => (&**head, Begin::Running),
                Start::Origin => (&**head, Begin::Origin),
                Start::At(_) => {
                    (&**head, Begin::Revision(head.revision_at(engine.running().time)?))
                }
                Start::Kept(kept) => (kept.heads.get(number).unwrap_or(head), Begin::Running),
            };
            heads.push(Head { name, engine: Arc::new(fork(origin, begin, None)?) });
        }
        plan.take_heads(heads);
        let (metrics, process) = (self.metrics.clone(), Arc::clone(&self.process));
        let blueprint = Blueprint { plan, fixed: self.fixed };
        let sending = Sending::default();
        Ok(Self::new(blueprint, engine, certificate, metrics, process, sending))
    }

    /// Its engines as they are now, for others to begin there.
    pub(crate) fn keep(&self) -> Result<KeptEngines, EngineError> {
        let keep = |engine: &Engine| {
            let (clock, begin) = (Arc::clone(engine.clock()), Begin::Running);
            engine.fork(Fork { begin, clock, message_required: None, appliers: Vec::new() })
        };
        let heads = self.heads().iter().map(|head| keep(&head.engine)).collect::<Result<_, _>>()?;
        Ok(KeptEngines { running: keep(&self.engine)?, heads })
    }

    /// Does what is due by the clock of a world that has no timers of its own; those of an
    /// appliance with a store act by themselves.
    pub(crate) fn settle(&self) {
        if !self.engine.is_durable() {
            self.settle_now();
        }
    }

    /// Does what is due. Waits for the store where there is one.
    pub(crate) fn settle_now(&self) {
        let now = self.now();
        if self.logins.is_any_due(now) {
            self.logins.expire();
        }
        if self.engine.next_deadline().is_some_and(|deadline| deadline <= now)
            && let Err(error) = self.engine.expire_confirmation()
        {
            tracing::error!(error = chain(&error), "an unconfirmed commit could not be undone");
        }
    }

    /// When something happens by itself next: a session ends, an unconfirmed commit is undone.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.logins.next_expiry().into_iter().chain(self.engine.next_deadline()).min()
    }

    /// How nodes are shown.
    pub(crate) fn shows(&self) -> Arc<dyn Presentation> {
        self.dialect.presentation()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }

    // ===== passwords =====

    /// The account that a name and a password belong to; `None` does not say which is wrong.
    /// Everybody but the administrator is looked for by `find`.
    pub(crate) async fn verify(
        &self,
        address: IpAddr,
        credentials: &Credentials,
        find: impl FnOnce(&Credentials) -> Option<Account>,
    ) -> Result<Option<Account>, Failure> {
        let Credentials { user, password } = credentials;
        let begun = self.gate.begin(address, user).await;
        let attempt = begun.inspect_err(|_| self.metrics.login(LoginOutcome::Blocked))?;
        let Administrator { name, password_hash } = &self.process.administrator;
        let is_administrator = user == name;
        let changed = || self.dialect.administrator_hash(self).map(|hash| hash.to_string());
        let stored = is_administrator.then(|| changed().unwrap_or_else(|| password_hash.clone()));
        // Checked for everybody, so that the time of an answer does not tell who exists.
        let checked = self.process.hasher.verify(attempt.lane(), stored, password.clone()).await;
        let fits = checked.inspect_err(|_| self.metrics.login(LoginOutcome::Busy))?;
        let account = match is_administrator {
            true => fits.then(Account::administrator),
            false => find(credentials),
        };
        let blocked = attempt.end(account.is_some());
        if account.is_none() {
            self.acting.login_refused(address, blocked);
            tracing::warn!(appliance = &*self.name, %address, "login refused");
        }
        Ok(account)
    }

    /// Whether a name and a password are the administrator's, for an API that sends them with every
    /// request: what was right a moment ago is remembered and not hashed again.
    pub(crate) async fn verify_administrator(
        &self,
        address: IpAddr,
        credentials: &Credentials,
    ) -> Result<bool, Failure> {
        if self.remembered.knows(credentials, self.now()) {
            return Ok(true);
        }
        // Before the hash is looked up, which may be replaced while this checks against it.
        let era = self.remembered.era();
        let is_right = self.verify(address, credentials, |_| None).await?.is_some();
        self.metrics.login(if is_right { LoginOutcome::Granted } else { LoginOutcome::Refused });
        if is_right {
            self.remembered.keep(credentials, self.now(), era);
        }
        Ok(is_right)
    }

    /// Forgets credentials that were right, after a password has changed.
    pub(crate) fn forget_credentials(&self) {
        self.remembered.clear();
    }
}
