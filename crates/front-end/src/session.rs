//! Logins: from a token in a cookie to a session of the engine, for as long as it is used.
//!
//! A token is 160 random bits, shown once. Only its hash is kept, so a dump of this process opens
//! no session; and since the table is searched by that hash, how long a look-up takes says
//! nothing about a token. Idle time is counted from the last request, the lifetime from the login;
//! the engine's session, with its transaction and lock, ends with the login. What a user may do
//! follows each commit.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use config_tree::Tree;
use parking_lot::RwLock;
use tokio::sync::Notify;
use transaction_engine::{Engine, Session, Timestamp};
use zeroize::Zeroizing;

use crate::caller::{Account, Caller, Proof, Standing};

/// A token as it is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
struct TokenHash([u8; 32]);

/// What a table needs of a hash, for keys that are hashes themselves.
type AsItIs = BuildHasherDefault<FirstEight>;

/// Takes eight bytes for all.
#[derive(Default)]
struct FirstEight(u64);

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [first, ..] = self.0.as_chunks::<8>().0 else { return };
        hasher.write_u64(u64::from_le_bytes(*first));
    }
}

impl Hasher for FirstEight {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// One login.
pub(crate) struct Login {
    /// The engine's side of it.
    pub(crate) session: Arc<Session>,
    /// Its name in the log.
    pub(crate) name: Arc<str>,
    proof: Option<Arc<dyn Proof>>,
    standing: ArcSwap<Standing>,
    /// When it began.
    pub(crate) opened: Timestamp,
    hash: TokenHash,
    last_used: AtomicI64,
    // How long it lasts from its beginning, however much it is used; `None`: from its last use, as
    // long as the table says.
    lifetime: Option<Duration>,
}

impl Login {
    /// When it was used last.
    pub(crate) fn used(&self) -> Timestamp {
        Timestamp::from_micros(self.last_used.load(Ordering::Relaxed))
    }

    /// What its user is now.
    pub(crate) fn standing(&self) -> Guard<Arc<Standing>> {
        self.standing.load()
    }

    /// Whether its user is one of the configuration, and not the built-in administrator.
    pub(crate) fn is_of_configuration(&self) -> bool {
        self.proof.is_some()
    }

    /// Brings the standing up to a configuration. `false`: the login is no longer true.
    pub(crate) fn follow(&self, tree: &Tree) -> bool {
        let Some(proof) = &self.proof else { return true };
        let Some(standing) = proof.standing(tree) else { return false };
        if **self.standing.load() != standing {
            tracing::info!(session = %self.session.id(), user = self.session.user(), "rights changed");
            self.standing.store(Arc::new(standing));
        }
        true
    }

    /// The login as the one who asks.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            session: Arc::clone(&self.session),
            name: Arc::clone(&self.name),
            rights: self.standing().rights.clone(),
        }
    }
}

/// All logins of one appliance.
pub(crate) struct Logins {
    engine: Arc<Engine>,
    table: RwLock<HashMap<TokenHash, Arc<Login>, AsItIs>>,
    limits: LoginLimits,
    idle_micros: Arc<AtomicI64>,
    // Wakes the task that sleeps until the next login expires.
    changed: Notify,
}

/// How many logins there may be, and how long one may last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoginLimits {
    pub(crate) count: usize,
    /// However much it is used; `None`: as long as it is used.
    pub(crate) lifetime: Option<Duration>,
}

/// There are as many logins as there may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Logins {
    /// An empty table. `idle_micros` is read at each use: its other holders may change it.
    pub(crate) fn new(
        engine: Arc<Engine>,
        limits: LoginLimits,
        idle_micros: Arc<AtomicI64>,
    ) -> Self {
        let (table, changed) = (RwLock::default(), Notify::new());
        Self { engine, table, limits, idle_micros, changed }
    }

    /// How long a login lasts without a request.
    pub(crate) fn idle(&self) -> Duration {
        let micros = self.idle_micros.load(Ordering::Relaxed);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// How long a login lasts if nothing else is asked in it.
    pub(crate) fn remaining(&self, login: &Login) -> Duration {
        let left = |lifetime| login.opened.plus(lifetime).since(self.now());
        match (login.lifetime, self.limits.lifetime) {
            (Some(lifetime), _) => left(lifetime),
            (None, Some(lifetime)) => self.idle().min(left(lifetime)),
            (None, None) => self.idle(),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.table.read().len()
    }

    /// Makes a login for a user who has proved to be one, and the token for it: 40 lower-case
    /// hexadecimal digits.
    pub(crate) fn open(
        &self,
        user: &str,
        account: Account,
    ) -> Result<(Arc<Login>, Zeroizing<String>), Full> {
        self.open_for(user, account, None)
    }

    /// The same for a login that lasts for a time from now on, whether it is used or not.
    pub(crate) fn open_for(
        &self,
        user: &str,
        account: Account,
        lifetime: Option<Duration>,
    ) -> Result<(Arc<Login>, Zeroizing<String>), Full> {
        if self.count() >= self.limits.count {
            self.expire();
        }
        let token = new_token().ok_or(Full)?;
        let session = self.engine.session_open(user);
        let (now, Account { proof, standing }) = (self.now(), account);
        let login = Arc::new(Login {
            name: session.id().to_string().into(),
            session,
            proof,
            standing: ArcSwap::from_pointee(standing),
            hash: hash(&token),
            opened: now,
            last_used: AtomicI64::new(now.as_micros()),
            lifetime,
        });
        let mut table = self.table.write();
        if table.len() >= self.limits.count {
            return Err(Full);
        }
        table.insert(login.hash, Arc::clone(&login));
        drop(table);
        // A commit that came between the check of the password and this did not know of the login.
        // Once more where another one overtakes this, too.
        loop {
            let running = self.engine.running();
            if !login.follow(&running.tree) {
                self.end(&login);
            }
            if self.engine.running_number() == running.number {
                break;
            }
        }
        self.changed.notify_one();
        Ok((login, token))
    }

    /// The login of a token, used at this moment; `None` for an unknown or expired one.
    pub(crate) fn find(&self, token: &str) -> Option<Arc<Login>> {
        let login = self.table.read().get(&hash(token)).map(Arc::clone)?;
        let now = self.now();
        if self.expires(&login) <= now {
            self.end(&login);
            return None;
        }
        if login.lifetime.is_none() {
            login.last_used.store(now.as_micros(), Ordering::Relaxed);
        }
        Some(login)
    }

    /// Ends a login: its transaction is rolled back and its lock released.
    pub(crate) fn end(&self, login: &Login) {
        self.table.write().remove(&login.hash);
        self.engine.session_end(&login.session);
    }

    /// Gives every login the rights that its user has in a configuration, and ends those that rest
    /// on something that is no longer true.
    pub(crate) fn follow(&self, tree: &Tree) {
        let all: Vec<_> = self.table.read().values().map(Arc::clone).collect();
        for login in all.iter().filter(|login| !login.follow(tree)) {
            tracing::info!(session = %login.session.id(), user = login.session.user(), "account changed, session ended");
            self.end(login);
        }
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Login>> {
        let mut all: Vec<_> = self.table.read().values().map(Arc::clone).collect();
        all.sort_by_key(|login| login.opened);
        all
    }

    /// Ends all of them.
    pub(crate) fn end_all(&self) {
        let all: Vec<_> = self.table.read().values().map(Arc::clone).collect();
        all.iter().for_each(|login| self.end(login));
    }

    /// How many have a transaction open.
    pub(crate) fn transactions_open(&self) -> usize {
        let is_open = |login: &&Arc<Login>| self.engine.transaction_status(&login.session).open;
        self.table.read().values().filter(is_open).count()
    }

    /// Whether there is a login that has been idle for too long.
    pub(crate) fn is_any_due(&self, now: Timestamp) -> bool {
        self.table.read().values().any(|login| self.expires(login) <= now)
    }

    /// When the next one ends unless it is used.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.table.read().values().map(|login| self.expires(login)).min()
    }

    /// Looks at the clock again, where something sleeps until the next one ends.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Ends what has been idle for too long. Says when the next one will be, if there is one.
    pub(crate) fn expire(&self) -> Option<Timestamp> {
        let now = self.now();
        let all: Vec<_> = self.table.read().values().map(Arc::clone).collect();
        let (over, alive): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|login| self.expires(login) <= now);
        over.iter().for_each(|login| {
            tracing::info!(session = %login.session.id(), user = login.session.user(), "session expired");
            self.end(login);
        });
        alive.iter().map(|login| self.expires(login)).min()
    }

    /// Ends idle logins at their time, forever. Sleeps while there are none.
    pub(crate) async fn expire_in_time(&self) {
        loop {
            let woken = self.changed.notified();
            match self.expire() {
                None => woken.await,
                Some(next) => {
                    let left = next.since(self.now()) + Duration::from_millis(1);
                    // A new login, or another idle time, may make the next moment an earlier one.
                    let _ = tokio::time::timeout(left, woken).await;
                }
            }
        }
    }

    /// When it ends unless it is used before.
    pub(crate) fn expires(&self, login: &Login) -> Timestamp {
        if let Some(lifetime) = login.lifetime {
            return login.opened.plus(lifetime);
        }
        let idle = login.used().plus(self.idle());
        self.limits.lifetime.map_or(idle, |lifetime| idle.min(login.opened.plus(lifetime)))
    }

    fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }
}

fn hash(token: &str) -> TokenHash {
    TokenHash(*blake3::hash(token.as_bytes()).as_bytes())
}

fn new_token() -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 20]);
    getrandom::fill(&mut *bytes).ok()?;
    let mut token = Zeroizing::new(String::with_capacity(40));
    for byte in bytes.iter() {
        for digit in [byte >> 4, byte & 15] {
            token.push(char::from_digit(u32::from(digit), 16)?);
        }
    }
    Some(token)
}
