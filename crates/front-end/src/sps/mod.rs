//! The REST protocol of One Identity SPS 6.2 and later: a session's transaction over one head.
//!
//! A request passes the same stations whatever it asks for, in this order: the path names a
//! [`Route`]; who asks (401 comes before 404); what is there (404 before 405); what may be done
//! with it (405 before the body is looked at); the body; the engine's verb; the answer.
//!
//! Nothing here knows how a transaction works, and nothing below knows of paths that begin with
//! `/api`, of cookies or of status codes.

mod accounts;
mod acting;
pub(crate) mod address;
mod audit;
mod authentication;
mod beyond;
mod configuration;
mod decode;
pub(crate) mod document;
mod dress;
mod factory;
mod firmware;
mod info;
mod machine;
mod paths;
mod plugin;
mod read_cache;
pub(crate) mod route;
mod self_configuration;
mod shared_documents;
mod slots;
mod transaction;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use catalog::Catalog;
use config_tree::{Body, Key, NodePath, Shown, Tree};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, header};
use serde_json::{Value, json};
use transaction_engine::{Applier, Engine, Idempotency, MessageRule};

use crate::acting::Acts;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::{Access, Account, Caller};
use crate::credentials::Credentials;
use crate::dialect::{Dialect, Ground, IdentityChange, Plan, Waiting};
use crate::failure::{At, Failure, Place};
use crate::http_path::{self, canonical, parent_href};
use crate::methods::Methods;
use crate::outcome::{Dressed, Outcome};
use crate::presentation::{Presentation, tree_path};
use crate::request;
use crate::session::{Login, Logins};
use crate::transport::{Peer, Request, RequestBody, SelfSigned, TlsError};

use accounts::Accounts;
use acting::SpsActing;
pub use audit::AuditError;
use audit::Records;
use beyond::{Health, Promotions, Tokens};
use factory::FactoryGenerator;
use machine::Machine;
use read_cache::ReadCache;
use route::{Route, RouteError};
use self_configuration::SelfConfiguration;
use shared_documents::SharedDocuments;

/// How to log in, as the end of a sentence.
const HOW_TO_LOG_IN: &str = "GET /api/authentication";

/// The cookie's and the fallback header's name.
pub(crate) const SESSION_ID: &str = "session_id";

/// What the settings say about the appliance.
#[derive(Clone, Debug)]
pub struct SpsSettings {
    /// Whether `PUT /api/transaction` without a body commits.
    pub lenient_commit: bool,
    /// The version for programs (`6.2.0`); `None`: as the catalog says.
    pub firmware_version: Option<String>,
    /// The version for people (`6 F2`); `None`: as the catalog says.
    pub version: Option<String>,
    /// Whether browsers have to send `X-Token` with what they change.
    pub x_token: bool,
    /// The largest upload, in bytes.
    pub upload_bytes: usize,
    /// The file with the sessions that searches find; `None`: there are none.
    pub audit: Option<PathBuf>,
}

impl Default for SpsSettings {
    fn default() -> Self {
        Self {
            lenient_commit: false,
            firmware_version: None,
            version: None,
            x_token: false,
            upload_bytes: 4 << 30,
            audit: None,
        }
    }
}

/// The emulated appliance, apart from its engine.
pub(crate) struct Sps {
    settings: SpsSettings,
    catalog: Arc<Catalog>,
    cache: ReadCache,
    shared: SharedDocuments,
    shows: Arc<SpsPresentation>,
    acting: Arc<SpsActing>,
    machine: Arc<Machine>,
    health: Arc<Health>,
    tokens: Tokens,
    promotions: Promotions,
    records: Arc<Records>,
}

/// How the appliance shows nodes: below `/api/configuration`, references with their links.
pub(crate) struct SpsPresentation {
    catalog: Arc<Catalog>,
}

impl Presentation for SpsPresentation {
    fn href(&self, path: &NodePath) -> String {
        address::href(path)
    }

    fn shown<'b>(&self, path: &NodePath, body: &'b Body) -> &'b Shown {
        document::shown(&self.catalog, path, body)
    }

    fn node_path(&self, asked: &str) -> Option<NodePath> {
        let below = asked
            .strip_prefix(address::CONFIGURATION)
            .filter(|rest| matches!(rest.get(..1), None | Some("/")));
        let Some(rest) = below else { return tree_path(asked) };
        let segments = http_path::segments(rest)?;
        NodePath::from_segments(segments.iter().map(|segment| &**segment)).ok()
    }

    fn transaction(&self) -> Option<&'static str> {
        Some("/api/transaction")
    }
}

/// The appliance before its engine exists.
struct SpsPlan {
    settings: SpsSettings,
    catalog: Arc<Catalog>,
    accounts: Arc<Accounts>,
    self_configuration: Arc<SelfConfiguration>,
    idle_micros: Arc<AtomicI64>,
    factory: FactoryGenerator,
    acting: Arc<SpsActing>,
    machine: Arc<Machine>,
    records: Arc<Records>,
}

/// Prepares an appliance.
///
/// # Errors
/// The file of sessions cannot be used.
pub(crate) fn plan(ground: Ground, settings: SpsSettings) -> Result<Box<dyn Plan>, AuditError> {
    let records = settings.audit.as_deref().map(Records::read).transpose()?.unwrap_or_default();
    Ok(plan_with(ground, settings, Arc::new(records)))
}

// The same with sessions that were read before.
fn plan_with(ground: Ground, settings: SpsSettings, records: Arc<Records>) -> Box<dyn Plan> {
    let idle = ground.idle.map(|idle| i64::try_from(idle.as_micros()).unwrap_or(i64::MAX));
    let idle_micros = Arc::new(AtomicI64::new(idle.unwrap_or(0)));
    let acting = Arc::new(SpsActing::new(Arc::clone(&ground.secrets)));
    let self_configuration = SelfConfiguration::new(
        ground.secrets,
        ground.certificate,
        ground.certificate_fixed,
        ground.certificate_current,
        Arc::clone(&idle_micros),
        idle.is_some(),
    );
    Box::new(SpsPlan {
        settings,
        accounts: Arc::new(Accounts::new(&ground.administrator, Arc::clone(&ground.catalog))),
        catalog: ground.catalog,
        self_configuration: Arc::new(self_configuration),
        idle_micros,
        factory: FactoryGenerator::new(ground.hosts, ground.clock.now()),
        acting,
        machine: Arc::new(Machine::open(ground.data_dir.as_deref())),
        records,
    })
}

impl Plan for SpsPlan {
    fn appliers(&self) -> Vec<Arc<dyn Applier>> {
        vec![
            Arc::clone(&self.self_configuration) as _,
            Arc::clone(&self.accounts) as _,
            Arc::clone(&self.acting) as _,
        ]
    }

    fn message_rule(&self) -> Option<MessageRule> {
        Some(Arc::new(message_required))
    }

    fn generate(&mut self, collection: &NodePath, name: &str) -> Option<(Key, Value)> {
        self.factory.member(collection, name)
    }

    fn failure(&mut self) -> Option<TlsError> {
        self.factory.failure.take()
    }

    fn names_certificate(&self, tree: &Tree) -> bool {
        SelfConfiguration::names_certificate(tree)
    }

    fn idle_micros(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.idle_micros)
    }

    fn build(self: Box<Self>, _engine: &Arc<Engine>, logins: &Arc<Logins>) -> Box<dyn Dialect> {
        let Self { settings, catalog, accounts, acting, machine, records, .. } = *self;
        accounts.watch_over(logins);
        let shows = Arc::new(SpsPresentation { catalog: Arc::clone(&catalog) });
        let (cache, shared) = (ReadCache::new(), SharedDocuments::default());
        Box::new(Sps {
            settings,
            catalog,
            cache,
            shared,
            shows,
            acting,
            machine,
            health: Arc::default(),
            tokens: Tokens::new(),
            promotions: Promotions::default(),
            records,
        })
    }
}

// Whether the configuration asks for a message with each commit.
fn message_required(tree: &Tree) -> bool {
    let body = tree.body(paths::accounting());
    body.is_some_and(|body| body.value()["require_commitlog"] == json!(true))
}

impl Dialect for Sps {
    fn acts(&self) -> Option<Arc<dyn Acts>> {
        Some(Arc::clone(&self.acting) as _)
    }

    fn answer_at_once(&self, appliance: &Appliance, head: &Parts) -> Option<Outcome> {
        configuration::node_get_again(self, appliance, head)
    }

    fn answer<'a>(
        &'a self,
        appliance: &'a Appliance,
        request: &'a Request,
        body: RequestBody,
    ) -> Waiting<'a, Outcome> {
        Box::pin(self.handle(appliance, request, body))
    }

    fn dress(&self, failure: &Failure, at: &At<'_>) -> Dressed {
        dress::dress(failure, at, &*self.shows, &self.catalog)
    }

    fn caller<'a>(
        &'a self,
        appliance: &'a Appliance,
        request: &'a Request,
    ) -> Waiting<'a, Result<Option<Caller>, Failure>> {
        let login = find_login(appliance, &request.head.headers);
        Box::pin(std::future::ready(Ok(login.map(|login| login.caller()))))
    }

    fn account(&self, appliance: &Appliance, credentials: &Credentials) -> Option<Account> {
        accounts::find(&appliance.engine, &credentials.user, &credentials.password)
    }

    // Members of `/x509` are not replaced: the one before goes when nothing refers to it any more.
    fn identity_change(&self, tree: &Tree, pair: &SelfSigned) -> Option<IdentityChange> {
        self_configuration::server_reference(tree)?;
        let identity = factory::identity(pair);
        Some(Box::new(move |edit| {
            let certificates = paths::certificates();
            let current = edit.tree().body(certificates).map(|body| body.value().clone());
            let Some(mut body) = current else { return Ok(()) };
            let made = edit.node_create(paths::x509(), identity.clone())?;
            body["server"] = json!(made.key().map(Key::as_str));
            edit.node_put(certificates, body)
        }))
    }

    fn fork(&self, ground: Ground) -> Box<dyn Plan> {
        plan_with(ground, self.settings.clone(), Arc::clone(&self.records))
    }

    fn how_to_log_in(&self) -> &'static str {
        HOW_TO_LOG_IN
    }

    fn presentation(&self) -> Arc<dyn Presentation> {
        Arc::clone(&self.shows) as _
    }
}

/// A request on its way to a verb.
struct Call<'a> {
    sps: &'a Sps,
    appliance: &'a Appliance,
    head: &'a Parts,
    peer: &'a Peer,
    /// The path as it is shown back.
    path: &'a str,
    login: Option<Arc<Login>>,
}

impl Sps {
    async fn handle(&self, appliance: &Appliance, request: &Request, body: RequestBody) -> Outcome {
        let Request { head, peer, .. } = request;
        let path = canonical(head.uri.path());
        let limits = &appliance.process.options.limits;
        if path.split('/').nth(1) != Some("api") {
            let at = At { method: &head.method, path: &path, rights: None, limits };
            let dressed = self.dress(&Failure::NotFound(Place::Request), &at);
            return Outcome::new("unknown", None, Err(dressed));
        }
        let login = find_login(appliance, &head.headers);
        let session = login.as_ref().map(|login| Arc::clone(&login.name));
        let call = Call { sps: self, appliance, head, peer, path: &path, login };
        let (verb, result) = match Route::parse(head.uri.path()) {
            Ok(route) => (route::verb(&route, &head.method), call.dispatch(route, body).await),
            Err(RouteError::Undecodable) => ("undecodable", Err(Failure::PathUndecodable)),
        };
        let standing = call.login.as_ref().map(|login| login.standing());
        let rights = standing.as_ref().map(|standing| &standing.rights);
        let at = At { method: &head.method, path: &path, rights, limits };
        Outcome::new(verb, session, result.map_err(|failure| self.dress(&failure, &at)))
    }
}

/// The login whose token a request carries.
fn find_login(appliance: &Appliance, headers: &HeaderMap) -> Option<Arc<Login>> {
    appliance.logins.find(session_token(headers)?)
}

/// The token that a request carries: in the cookie, else in a header of that name.
pub(crate) fn session_token(headers: &HeaderMap) -> Option<&str> {
    // Cookies of others may hold any bytes.
    let pairs = headers.get_all(header::COOKIE).iter();
    let in_cookies = pairs
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok())
        .filter_map(|pair| pair.trim().strip_prefix(SESSION_ID)?.strip_prefix('='))
        .next()
        .map(|token| token.trim_matches('"'));
    in_cookies.or_else(|| headers.get(SESSION_ID).and_then(|value| value.to_str().ok()))
}

impl Call<'_> {
    async fn dispatch(&self, route: Route, body: RequestBody) -> Result<Answer, Failure> {
        if self.login.is_none() && !route.is_anonymous() {
            return Err(Failure::Unauthenticated);
        }
        self.authorise(&route)?;
        self.expect_token()?;
        match route {
            Route::Unknown => Err(Failure::NotFound(Place::Request)),
            Route::Node(path) => self.node(&path, body).await,
            // Boxed to keep the future of a plain read small.
            Route::Order(path) => Box::pin(self.order(&path, body)).await,
            Route::Beyond(what) => Box::pin(self.beyond(what, body)).await,
            route => Box::pin(self.entry_point(route, body)).await,
        }
    }

    /// What exists once, outside the configuration.
    async fn entry_point(&self, route: Route, body: RequestBody) -> Result<Answer, Failure> {
        let allow = route.allow();
        self.expect_method(allow)?;
        if self.head.method == Method::OPTIONS {
            return Ok(self.options(allow));
        }
        let answer = match route {
            Route::Authentication if self.head.method == Method::DELETE => self.session_end()?,
            Route::Authentication => self.session_open().await?,
            Route::AuthenticationTypes => info::authentication_types(),
            Route::LoginMethods => info::login_methods(),
            Route::Info => self.info(),
            Route::Setup => info::setup(),
            Route::Transaction => self.transaction(body).await?,
            Route::TransactionChanges => self.transaction_changes()?,
            Route::Root | Route::Unknown | Route::Node(_) | Route::Order(_) | Route::Beyond(_) => {
                self.root()
            }
        };
        Ok(answer.allow(allow))
    }

    // Before anything is looked up: whether something is there is part of what rights protect.
    fn authorise(&self, route: &Route) -> Result<(), Failure> {
        let Some(login) = &self.login else {
            return Ok(());
        };
        let rights = &login.standing().rights;
        let writes = !matches!(self.head.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let access = if writes { Access::Write } else { Access::Read };
        let allowed = match route {
            Route::Node(path) | Route::Order(path) => rights.allow(access, path),
            // Rolling back, and seeing that nothing is open, does no harm.
            Route::Transaction if matches!(self.head.method, Method::POST | Method::PUT) => {
                rights.allow_changes()
            }
            _ => true,
        };
        if allowed { Ok(()) } else { Err(Failure::Forbidden(Place::Request)) }
    }

    fn expect_method(&self, allow: Methods) -> Result<(), Failure> {
        if allow.permits(&self.head.method) {
            Ok(())
        } else {
            Err(Failure::MethodNotAllowed(allow))
        }
    }

    /// The answer to OPTIONS: what `Methods` says, and where one is.
    fn options(&self, allow: Methods) -> Answer {
        let parent = parent_href(self.path);
        Answer::document(&json!({ "meta": { "href": self.path, "parent": parent } })).allow(allow)
    }

    /// The caller's login. Routes that may be used without one do not ask.
    fn login(&self) -> Result<&Arc<Login>, Failure> {
        self.login.as_ref().ok_or_else(|| Failure::Unauthenticated)
    }

    fn remaining_seconds(&self) -> u64 {
        let logins = &self.appliance.logins;
        self.login.as_ref().map_or(logins.idle(), |login| logins.remaining(login)).as_secs()
    }

    /// A JSON body; `None` when there is none.
    async fn json(&self, body: RequestBody) -> Result<Option<Value>, Failure> {
        request::json(&self.appliance.process.options.limits, &self.head.headers, body).await
    }

    /// By what the request is recognised when it is sent again: its key, and a hash of what it asks.
    fn idempotency(&self, body: Option<&Value>) -> Result<Option<Idempotency>, Failure> {
        request::idempotency(self.head, self.path, body)
    }

    /// A JSON body where one is needed.
    async fn json_needed(&self, body: RequestBody) -> Result<Value, Failure> {
        request::needed(self.json(body).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_named_as_the_api_or_as_the_tree_does() {
        let catalog = Catalog::builtin("sps-6.2").unwrap().unwrap();
        let shows = SpsPresentation { catalog: Arc::new(catalog) };
        for (asked, expected) in [
            ("/api/configuration/x509/a", Some("/x509/a")),
            ("/api/configuration/x%20y/", Some("/x y")),
            ("/api/configuration", Some("/")),
            ("/api/configurations", Some("/api/configurations")),
            ("/x509//a", Some("/x509/a")),
            ("/x%20y", Some("/x%20y")),
            ("/", Some("/")),
            ("x509", None),
            ("/a/..", None),
            ("/api/configuration/a%2Fb", None),
        ] {
            let found = shows.node_path(asked).map(|path| path.to_string());
            assert_eq!(found.as_deref(), expected, "{asked}");
        }
    }
}
