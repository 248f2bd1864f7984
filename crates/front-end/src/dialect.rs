//! What a dialect is: how an API identifies its callers, dresses documents and failures, and which
//! head of the configuration a request reads and writes.
//!
//! A dialect is one folder. It imports neutral ground only (appliance, caller, failure, answer,
//! path and query), and nothing imports it but the router. It owns its statuses, envelopes,
//! headers, credentials and links.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use catalog::{Catalog, SecretReader};
use config_tree::{Key, NodePath, Tree};
use hyper::http::request::Parts;
use serde_json::Value;
use transaction_engine::clock::Clock;
use transaction_engine::{Applier, Edit, Engine, Error, MessageRule};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::acting::Acts;
use crate::appliance::Appliance;
use crate::caller::{Account, Caller};
use crate::credentials::Credentials;
use crate::failure::{At, Failure};
use crate::outcome::{Dressed, Outcome};
use crate::presentation::Presentation;
use crate::session::Logins;
use crate::transport::{CertificateSlot, Request, RequestBody, SelfSigned, TlsError};

/// A future that borrows what it needs.
pub(crate) type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How an appliance answers.
pub(crate) trait Dialect: Send + Sync {
    /// The answer to what needs neither its body nor a verb, such as a document that is asked for
    /// again. `None`: [`Dialect::answer`] is asked.
    fn answer_at_once(&self, _appliance: &Appliance, _head: &Parts) -> Option<Outcome> {
        None
    }

    /// Answers a request.
    fn answer<'a>(
        &'a self,
        appliance: &'a Appliance,
        request: &'a Request,
        body: RequestBody,
    ) -> Waiting<'a, Outcome>;

    /// Shows a failure, also one that came before there was a verb: a malformed head, a panic.
    fn dress(&self, failure: &Failure, at: &At<'_>) -> Dressed;

    /// Who asks, by the credentials of this API; `None` where the request has none. For Boxwood's
    /// own API, which is served next to the appliance's and takes the administrator's Basic
    /// credentials by itself.
    fn caller<'a>(
        &'a self,
        _appliance: &'a Appliance,
        _request: &'a Request,
    ) -> Waiting<'a, Result<Option<Caller>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// The hash of the administrator's password, where it was changed over this API.
    fn administrator_hash(&self, _appliance: &Appliance) -> Option<Zeroizing<String>> {
        None
    }

    /// The user of the appliance that a name and a password belong to, the administrator apart: for
    /// sessions of Boxwood's own API.
    fn account(&self, _appliance: &Appliance, _credentials: &Credentials) -> Option<Account> {
        None
    }

    /// How to log in to Boxwood's own API, as the end of a sentence.
    fn how_to_log_in(&self) -> &'static str {
        "HTTP Basic, with the administrator's name and password"
    }

    /// How nodes are shown.
    fn presentation(&self) -> Arc<dyn Presentation>;

    /// The collection in which further clients of the API are kept, where there is one: the name of
    /// a client is its key.
    fn clients(&self) -> Option<&NodePath> {
        None
    }

    /// What the configuration says of mail, traps, syslog and health, where it says something.
    fn acts(&self) -> Option<Arc<dyn Acts>> {
        None
    }

    /// How this certificate takes the place of the server's in the configuration; `None` where the
    /// configuration holds none.
    fn identity_change(&self, _tree: &Tree, _pair: &SelfSigned) -> Option<IdentityChange> {
        None
    }

    /// The same dialect for an appliance of another world: with the same settings, and nothing that
    /// belongs to the callers of this one.
    fn fork(&self, ground: Ground) -> Box<dyn Plan>;

    /// The heads of the configuration other than the running one.
    fn heads(&self) -> &[Head] {
        &[]
    }

    /// Whether a node is one that moves between heads, and does not belong to one of them alone.
    fn moves(&self, _path: &NodePath) -> bool {
        true
    }
}

/// Stages another certificate.
pub(crate) type IdentityChange = Box<dyn FnMut(&mut Edit<'_>) -> Result<(), Error> + Send>;

/// A head of the configuration other than the running one, such as a candidate: an engine of the
/// same catalog.
#[derive(Clone)]
pub struct Head {
    /// Its name.
    pub name: &'static str,
    /// Its configuration.
    pub engine: Arc<Engine>,
}

/// What a daemon hands to an appliance before the appliance's engine exists.
pub struct Ground {
    /// What may stand where. It names the dialect.
    pub catalog: Arc<Catalog>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Opens secrets of the configuration.
    pub secrets: Arc<dyn SecretReader + Send + Sync>,
    /// The certificate that the appliance's listeners show.
    pub certificate: Arc<CertificateSlot>,
    /// Whether the certificate is given by files, so that the configuration does not change it.
    pub certificate_fixed: bool,
    /// Whether it is what the configuration says already, so that it is not looked up at the start.
    pub certificate_current: bool,
    /// The hosts that the appliance is reached under.
    pub hosts: Vec<String>,
    /// The name of the built-in administrator.
    pub administrator: String,
    /// How long a session lasts without a request; `None`: as the configuration says.
    pub idle: Option<Duration>,
    /// The appliance's folder, for keys that outlive a restart; `None` where nothing is kept.
    pub data_dir: Option<PathBuf>,
    /// What tokens are bound to that this process alone does not remember; `None` for `main`, whose
    /// tokens a restart continues.
    pub incarnation: Option<Uuid>,
}

/// A dialect before its engine exists: what the engine has to know of it.
pub(crate) trait Plan: Send {
    /// Who acts on commits.
    fn appliers(&self) -> Vec<Arc<dyn Applier>> {
        Vec::new()
    }

    /// Whether the configuration asks for a message with each commit.
    fn message_rule(&self) -> Option<MessageRule> {
        None
    }

    /// Makes a member that a factory default needs, for a collection and a name.
    fn generate(&mut self, _collection: &NodePath, _name: &str) -> Option<(Key, Value)> {
        None
    }

    /// The first failure of [`Plan::generate`].
    fn failure(&mut self) -> Option<TlsError> {
        None
    }

    /// Whether a configuration names the certificate that listeners show, usable or not.
    fn names_certificate(&self, _tree: &Tree) -> bool {
        false
    }

    /// The names of the heads that are needed in addition to the running one.
    fn heads(&self) -> &'static [&'static str] {
        &[]
    }

    /// Takes those heads, in the order of their names, before [`Plan::build`].
    fn take_heads(&mut self, _heads: Vec<Head>) {}

    /// How long a login lasts without a request, in microseconds, now and after each commit; 0: there
    /// are none, or each says itself how long it lasts.
    fn idle_micros(&self) -> Arc<AtomicI64> {
        Arc::default()
    }

    /// The dialect over its engine and the table of its logins.
    fn build(self: Box<Self>, engine: &Arc<Engine>, logins: &Arc<Logins>) -> Box<dyn Dialect>;
}

/// An appliance before its engine exists: what the engine has to be opened with.
pub struct Blueprint {
    pub(crate) plan: Box<dyn Plan>,
    pub(crate) fixed: Fixed,
}

/// What settings say about an appliance in the place of its configuration, in every world.
#[derive(Clone, Copy)]
pub(crate) struct Fixed {
    certificate: bool,
    idle: Option<Duration>,
}

impl Fixed {
    pub(crate) fn of(ground: &Ground) -> Self {
        Self { certificate: ground.certificate_fixed, idle: ground.idle }
    }

    /// What an appliance of another world stands on.
    pub(crate) fn ground(
        self,
        engine: &Engine,
        administrator: &str,
        (certificate, certificate_current): (Arc<CertificateSlot>, bool),
        clock: &Arc<dyn Clock>,
    ) -> Ground {
        Ground {
            catalog: Arc::clone(engine.catalog()),
            clock: Arc::clone(clock),
            secrets: engine.secrets(),
            certificate,
            certificate_fixed: self.certificate,
            certificate_current,
            // Nothing is generated in it.
            hosts: Vec::new(),
            administrator: administrator.to_owned(),
            idle: self.idle,
            data_dir: None,
            incarnation: Some(Uuid::new_v4()),
        }
    }
}

impl Blueprint {
    /// Who acts on commits.
    #[must_use]
    pub fn appliers(&self) -> Vec<Arc<dyn Applier>> {
        self.plan.appliers()
    }

    /// Whether the configuration asks for a message with each commit.
    #[must_use]
    pub fn message_rule(&self) -> Option<MessageRule> {
        self.plan.message_rule()
    }

    /// Makes a member that a factory default needs, for a collection and a name; `None` where none
    /// is known, and after a failure.
    pub fn generate(&mut self, collection: &NodePath, name: &str) -> Option<(Key, Value)> {
        self.plan.generate(collection, name)
    }

    /// The first failure of [`Blueprint::generate`], for a caller that cannot go on then.
    pub fn failure(&mut self) -> Option<TlsError> {
        self.plan.failure()
    }

    /// Whether a configuration names the certificate that listeners show, usable or not.
    #[must_use]
    pub fn names_certificate(&self, tree: &Tree) -> bool {
        self.plan.names_certificate(tree)
    }
    /// The names of the heads that the appliance needs in addition to the running one: each is an
    /// engine of the same catalog with the same sealer.
    #[must_use]
    pub fn heads(&self) -> &'static [&'static str] {
        self.plan.heads()
    }

    /// Takes those heads, in the order of their names.
    pub fn take_heads(&mut self, heads: Vec<Head>) {
        self.plan.take_heads(heads);
    }
}
