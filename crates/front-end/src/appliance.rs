//! An appliance: a catalog, a dialect, the engine behind them, its logins, its certificate.
//!
//! Handlers are given this and nothing more. What the appliances of a process share, and no more
//! than that, is in [`Process`].

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use transaction_engine::{Engine, Timestamp};

use crate::caller::Account;
use crate::client_address::Proxies;
use crate::credentials::Credentials;
use crate::dialect::{Blueprint, Dialect, Head};
use crate::failure::Failure;
use crate::login_gate::LoginGate;
use crate::metrics::{LoginOutcome, Metrics};
use crate::password::{PasswordError, PasswordHasher};
use crate::presentation::Presentation;
use crate::remembered::Remembered;
use crate::session::{LoginLimits, Logins};
use crate::throttle::ThrottleRules;
use crate::transport::{CertificateSlot, Limits};

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
    ) -> Self {
        let ProcessOptions { sessions, session_lifetime, throttle, .. } = process.options;
        let limits = LoginLimits { count: sessions, lifetime: session_lifetime };
        let Blueprint(plan) = blueprint;
        let idle = plan.idle_micros();
        // An appliance without sessions of its own has those of Boxwood's API all the same.
        let _ = idle.compare_exchange(0, OWN_IDLE_MICROS, Ordering::Relaxed, Ordering::Relaxed);
        let logins = Arc::new(Logins::new(Arc::clone(&engine), limits, idle));
        let dialect = plan.build(&engine, &logins);
        Self {
            name: engine.catalog().name().into(),
            gate: LoginGate::new(throttle),
            engine,
            logins,
            metrics,
            process,
            dialect,
            certificate,
            remembered: Remembered::default(),
        }
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
        attempt.end(account.is_some());
        if account.is_none() {
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
