//! The product without a socket: requests handed to its service as if they had come over the wire,
//! and commits through its engine.
//!
//! These are the paths whose instructions and allocations are counted, because those are the same
//! on every run where times are not.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use catalog::SecretReader;
use config_tree::NodePath;
use front_end::password::hash_blocking;
use front_end::throttle::ThrottleRules;
use front_end::transport::{
    AnswerBody, CertificateSlot, Handler, Limits, Peer, Request, RequestBody,
};
use front_end::{
    Administrator, Appliance, DialectSettings, Ground, Member, Metrics, Process, ProcessOptions,
    Router, Sending, Worlds, WorldsOptions, blueprint,
};
use http_body_util::BodyExt;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use transaction_engine::store::MemStore;
use transaction_engine::{Engine, Error, Session};
use zeroize::Zeroizing;

use crate::Outcome;
use crate::appliance::{self, SETTINGS, Setup, THINGS, thing};

const IDLE: Duration = Duration::from_secs(600);

/// The benchmarks' configuration refers to no certificate, so no secret is asked for.
struct NoSecrets;

impl SecretReader for NoSecrets {
    fn reveal(&self, _: &NodePath, _: &str, _: &str) -> Option<Zeroizing<String>> {
        None
    }
}

/// The service over an engine, with somebody logged in, and a runtime that polls it.
pub struct InProcess {
    router: Router,
    engine: Arc<Engine>,
    runtime: Runtime,
    token: String,
}

impl InProcess {
    /// Logs in to a service over an engine.
    ///
    /// # Errors
    /// The login is refused.
    pub fn new(engine: Engine) -> Outcome<Self> {
        let engine = Arc::new(engine);
        let options = ProcessOptions {
            limits: Limits::default(),
            import_bytes: 256 << 20,
            throttle: ThrottleRules::default(),
            proxies: front_end::Proxies::default(),
            session_lifetime: None,
            sessions: 100,
        };
        let administrator =
            Administrator { name: "admin".to_owned(), password_hash: hash_blocking("admin")? };
        let certificate = Arc::new(CertificateSlot::default());
        let ground = Ground {
            catalog: Arc::clone(engine.catalog()),
            clock: Arc::clone(engine.clock()),
            secrets: Arc::new(NoSecrets),
            certificate: Arc::clone(&certificate),
            certificate_fixed: true,
            certificate_current: false,
            hosts: Vec::new(),
            administrator: administrator.name.clone(),
            idle: Some(IDLE),
            data_dir: None,
            incarnation: None,
        };
        let blueprint = blueprint(ground, DialectSettings::default())?;
        let process = Arc::new(Process::new(options, administrator)?);
        let of_engine = Arc::clone(&engine);
        let (metrics, sending) = (Metrics::new(), Sending::default());
        let appliance =
            Appliance::new(blueprint, of_engine, certificate, metrics, process, sending);
        let members = vec![Member::new(Arc::new(appliance), &[])];
        let options = WorldsOptions {
            most: 100_000,
            open_control: true,
            main_is_temporary: true,
            clock: None,
        };
        let router = Router::new(Arc::new(Worlds::new(members, options)), 0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut made = Self { router, engine, runtime, token: String::new() };
        made.token = made.login()?;
        Ok(made)
    }

    /// One over a data directory that has a tree of the benchmarks' catalog.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn durable(data_dir: &Path) -> Outcome<Self> {
        Self::new(Setup::bench()?.durable(data_dir)?)
    }

    /// One in memory with the given number of things.
    ///
    /// # Errors
    /// The tree cannot be made.
    pub fn in_memory(things: usize) -> Outcome<Self> {
        let store = MemStore::new();
        let (catalog, path) = (appliance::catalog()?, appliance::path(THINGS)?);
        let medium = Box::new(store.clone());
        appliance::fill_log(medium, None, &catalog, &path, things, |n| thing(n, 0))?;
        Self::new(Setup::bench()?.over(Box::new(store), None)?)
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    fn login(&self) -> Outcome<String> {
        let basic = base64::engine::general_purpose::STANDARD.encode("admin:admin");
        let head = hyper::Request::get("/api/authentication")
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .body(())?
            .into_parts()
            .0;
        let response = self.handle(&head, Bytes::new());
        let cookie = response.headers().get(header::SET_COOKIE).ok_or("no cookie was set")?;
        let token = cookie.to_str()?.strip_prefix("session_id=").and_then(|c| c.split(';').next());
        Ok(token.ok_or("the cookie holds no session")?.to_owned())
    }

    /// The head of a request of the one who is logged in.
    ///
    /// # Errors
    /// The path is none.
    pub fn head(&self, method: Method, path: &str) -> Outcome<Parts> {
        let mut request = hyper::Request::builder().uri(format!("/api{path}"));
        if method != Method::GET {
            request = request.header(header::CONTENT_LENGTH, "0");
        }
        let request = request
            .method(method)
            .header(header::HOST, "localhost")
            .header(header::COOKIE, format!("session_id={}", self.token));
        Ok(request.body(())?.into_parts().0)
    }

    /// Has the service answer one request.
    #[must_use]
    pub fn handle(&self, head: &Parts, body: Bytes) -> Response<AnswerBody> {
        self.runtime.block_on(self.router.handle(&mut request(head, body)))
    }

    /// Has the service answer one request, which must succeed.
    ///
    /// # Errors
    /// It does not.
    pub fn expect(&self, head: &Parts, body: Bytes) -> Outcome<Bytes> {
        let response = self.handle(head, body);
        let status = response.status();
        let body = self.runtime.block_on(response.into_body().collect())?.to_bytes();
        match status {
            StatusCode::OK => Ok(body),
            other => Err(format!("{other}: {}", String::from_utf8_lossy(&body)).into()),
        }
    }
}

// Made once, as for a connection.
static PEER: LazyLock<Peer> =
    LazyLock::new(|| Peer::new(SocketAddr::from(([127, 0, 0, 1], 4711)), false));

/// What the front end is handed for a request.
#[must_use]
pub fn request(head: &Parts, body: Bytes) -> Request {
    Request {
        head: head.clone(),
        body: RequestBody::memory(body),
        peer: PEER.clone(),
        client_certificate: None,
    }
}

/// The paths that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A GET of a member of a collection of a thousand, over and over.
    Get,
    /// The same in an open transaction, where no document is kept.
    GetStaged,
    /// A PUT of an object into an open transaction.
    Put,
    /// Open, PUT and commit of one object through the engine on a store in memory.
    Commit,
}

impl Counted {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Get, "get"),
        (Self::GetStaged, "get-staged"),
        (Self::Put, "put"),
        (Self::Commit, "commit"),
    ];

    /// Prepares the path; each call of the result goes down it once.
    ///
    /// # Errors
    /// The product cannot be set up.
    pub fn prepare(self) -> Outcome<Box<dyn FnMut() -> Outcome<()>>> {
        let product = InProcess::in_memory(1000)?;
        match self {
            Self::Get | Self::GetStaged => {
                if self == Self::GetStaged {
                    let open = product.head(Method::POST, "/transaction")?;
                    product.expect(&open, Bytes::new())?;
                }
                let path = format!("/configuration{THINGS}/{}", appliance::key(500));
                let head = product.head(Method::GET, &path)?;
                product.expect(&head, Bytes::new())?;
                Ok(Box::new(move || ok(&product.handle(&head, Bytes::new()))))
            }
            Self::Put => {
                let open = product.head(Method::POST, "/transaction")?;
                product.expect(&open, Bytes::new())?;
                let head = product.head(Method::PUT, &format!("/configuration{SETTINGS}"))?;
                let bodies = [11, 12].map(|timeout| Bytes::from(settings(timeout).to_string()));
                let mut turn = 0;
                Ok(Box::new(move || {
                    turn += 1;
                    ok(&product.handle(&head, bodies[turn % 2].clone()))
                }))
            }
            Self::Commit => {
                let engine = Arc::clone(product.engine());
                drop(product);
                let session = engine.session_open("bench");
                let mut turn = 0;
                Ok(Box::new(move || {
                    turn += 1;
                    commit(&engine, &session, turn)
                }))
            }
        }
    }
}

fn ok(response: &Response<AnswerBody>) -> Outcome<()> {
    match response.status() {
        StatusCode::OK => Ok(()),
        other => Err(format!("status {other}").into()),
    }
}

fn settings(timeout: usize) -> Value {
    json!({ "server": "host.example.com", "enabled": true, "timeout": timeout, "comment": "none" })
}

/// Opens a transaction, replaces the settings and commits.
///
/// # Errors
/// The engine refuses.
pub fn commit(engine: &Engine, session: &Arc<Session>, turn: usize) -> Outcome<()> {
    engine.transaction_open(session)?;
    put(engine, session, &appliance::path(SETTINGS)?, settings(11 + turn % 2))?;
    engine.transaction_commit(session, None)?;
    Ok(())
}

/// Stages a body for an object or a member, whatever it holds now.
///
/// # Errors
/// The engine refuses.
pub fn put(engine: &Engine, session: &Session, path: &NodePath, body: Value) -> Result<(), Error> {
    engine.node_put(session, path, body, None).map(drop)
}
