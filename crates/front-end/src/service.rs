//! What answers requests: the parts put together, and one log line for each request.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, header};
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::Instrument;
use transaction_engine::Engine;

use crate::accounts::{self, Account, Accounts};
use crate::error::ApiError;
use crate::metrics::{LoginOutcome, Metrics};
use crate::operation;
use crate::password::PasswordHasher;
use crate::respond::Answer;
use crate::session::{Login, Logins};
use crate::sps::{self, Named};
use crate::throttle::{Throttle, ThrottleRules};
use crate::transport::{AnswerBody, Handler, Limits, Peer, Request, RequestBody, check_head};

/// How a service is to behave.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// What clients may cost.
    pub limits: Limits,
    /// The largest configuration that can be imported at once, in bytes.
    pub import_bytes: usize,
    /// When logins are blocked.
    pub throttle: ThrottleRules,
    /// How many sessions there may be.
    pub sessions: usize,
    /// Whether `PUT /api/transaction` without a body commits.
    pub lenient_commit: bool,
    /// The appliance's version for programs (`6.2.0`).
    pub firmware_version: String,
    /// The appliance's version for people (`6 F2`).
    pub version: String,
    /// The kit for plugins that the appliance has (`1.4.4`); the earlier ones do not tell.
    pub plugin_sdk_version: Option<String>,
    /// When the appliance's firmware was built, ISO 8601.
    pub build_date: String,
    /// The appliance's name.
    pub host_name: String,
    /// The appliance's domain.
    pub domain_name: String,
}

/// The administrator that is always there.
pub struct Administrator {
    /// The name to log in with.
    pub name: String,
    /// The PHC string of the password.
    pub password_hash: String,
}

/// One configuration, answering requests.
pub struct Service {
    pub(crate) engine: Arc<Engine>,
    pub(crate) options: ServiceOptions,
    pub(crate) logins: Arc<Logins>,
    pub(crate) metrics: Metrics,
    pub(crate) keep: sps::Keep,
    hasher: PasswordHasher,
    administrator: Administrator,
    throttle: Mutex<Throttle>,
    requests: AtomicU64,
}

impl Service {
    /// Puts the parts together. `idle` is shared with whoever knows how long sessions last: see
    /// [`crate::Governor`].
    ///
    /// # Errors
    /// The system must give random bytes.
    pub fn new(
        engine: Arc<Engine>,
        options: ServiceOptions,
        administrator: Administrator,
        accounts: &Accounts,
        idle_micros: Arc<AtomicI64>,
        metrics: Metrics,
    ) -> Result<Self, crate::password::PasswordError> {
        let logins = Arc::new(Logins::new(Arc::clone(&engine), options.sessions, idle_micros));
        accounts.watch_over(&logins);
        let throttle = Mutex::new(Throttle::new(options.throttle));
        Ok(Self {
            engine,
            options,
            logins,
            metrics,
            keep: sps::Keep::new(),
            hasher: PasswordHasher::new()?,
            administrator,
            throttle,
            requests: AtomicU64::new(0),
        })
    }

    /// Ends idle sessions at their time, for as long as the future is polled.
    pub async fn expire_sessions(&self) {
        self.logins.expire_in_time().await;
    }

    /// Ends every session with its transaction, for the end of the service.
    pub fn end_sessions(&self) {
        self.logins.end_all();
    }

    /// The login whose token a request carries.
    pub(crate) fn find_login(&self, headers: &HeaderMap) -> Option<Arc<Login>> {
        self.logins.find(session_token(headers)?)
    }

    /// The account that a name and a password belong to; `None` does not say which is wrong.
    pub(crate) async fn verify(
        &self,
        address: IpAddr,
        credentials: &sps::Credentials,
    ) -> Result<Option<Account>, ApiError> {
        let sps::Credentials { user, password } = credentials;
        let now = self.engine.clock().now().as_micros();
        if let Err(blocked) = self.throttle.lock().check(address, user, now) {
            self.metrics.login(LoginOutcome::Blocked);
            return Err(blocked.into());
        }
        let is_administrator = *user == self.administrator.name;
        let stored = is_administrator.then(|| self.administrator.password_hash.clone());
        // Checked for everybody, so that the time of an answer does not tell who exists.
        let fits = self.hasher.verify(stored, password.clone()).await.inspect_err(|_| {
            self.metrics.login(LoginOutcome::Busy);
        })?;
        let account = if is_administrator {
            fits.then(accounts::administrator)
        } else {
            accounts::find(&self.engine, user, password)
        };
        let mut throttle = self.throttle.lock();
        if account.is_some() {
            throttle.succeeded(address, user);
        } else {
            throttle.failed(address, user, now);
            tracing::warn!(%address, "login refused");
        }
        Ok(account)
    }

    /// The answer to what needs neither its body nor a verb: a head that is wrong, and a document
    /// that is asked for again.
    fn answer_at_once(&self, head: &Parts) -> Option<Named> {
        let Err(error) = check_head(head) else {
            return sps::node_get_again(self, head);
        };
        let error = ApiError::from(error);
        let answer = error.answer(&sps::address::canonical(head.uri.path()));
        let error = Some((error.kind(), error.message().to_owned()));
        Some(Named { verb: "malformed", answer, session: None, error })
    }

    async fn answer(&self, request: &Request, body: RequestBody) -> Named {
        let path = request.head.uri.path();
        match path.split('/').find(|segment| !segment.is_empty()) {
            Some("api") => sps::handle(self, request, body).await,
            // Apart, since what these keep while they wait would make every request's future large.
            Some("boxwood") => Box::pin(operation::handle(self, &request.head, body)).await,
            _ => {
                let answer = ApiError::not_found(path).answer(path);
                Named { verb: "unknown", answer, session: None, error: None }
            }
        }
    }
}

impl Handler for Service {
    async fn handle(&self, request: &mut Request) -> Response<AnswerBody> {
        let body = std::mem::take(&mut request.body);
        let id = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let method = request.head.method.clone();
        let line = CompletionLine::begin(&self.metrics, id, method.clone(), &request.peer);
        // For the lines on the way, which are few and rarely asked for: a span costs as much as the
        // rest of a read, and the line at the end says what it would.
        let span = tracing::debug_span!("request", id);
        let at_once = span.in_scope(|| self.answer_at_once(&request.head));
        let mut named = match at_once {
            Some(named) => named,
            // Apart, so that the future of a request that need not wait is small.
            None => Box::pin(self.answer(request, body).instrument(span)).await,
        };
        line.complete(&named);
        named.answer.stamp(id, || self.engine.running_number().get());
        let mut response = named.answer.into_response();
        if method == Method::HEAD {
            let length = hyper::body::Body::size_hint(response.body()).exact().unwrap_or(0);
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            *response.body_mut() = AnswerBody::default();
        }
        response
    }

    fn panicked(&self) -> Response<AnswerBody> {
        ApiError::internal().answer("/").into_response()
    }
}

/// Writes the one line at the end of a request, also when its client hung up before.
struct CompletionLine<'a> {
    metrics: &'a Metrics,
    id: u64,
    method: Method,
    peer: &'a Peer,
    started: Instant,
    complete: bool,
}

impl<'a> CompletionLine<'a> {
    fn begin(metrics: &'a Metrics, id: u64, method: Method, peer: &'a Peer) -> Self {
        Self { metrics, id, method, peer, started: Instant::now(), complete: false }
    }

    fn complete(mut self, named: &Named) {
        self.complete = true;
        let taken = self.started.elapsed();
        let status = named.answer.status();
        self.metrics.request(&self.method, named.verb, status, taken);
        let (verb, status, duration_us) = (named.verb, status.as_u16(), micros(taken));
        let Self { id, .. } = self;
        let (method, peer) = (self.method.as_str(), self.peer.name());
        let session = named.session.as_deref().unwrap_or("-");
        // Neither is in the line where there is none.
        let (error, reason) =
            named.error.as_ref().map(|(error, why)| (*error, why.as_str())).unzip();
        // The message as a text and not as something to format.
        tracing::info!(
            message = "answered",
            id,
            method,
            verb,
            status,
            duration_us,
            session,
            peer,
            error,
            reason,
        );
    }
}

impl Drop for CompletionLine<'_> {
    fn drop(&mut self) {
        if !self.complete {
            let duration_us = micros(self.started.elapsed());
            let (id, method, peer) = (self.id, self.method.as_str(), self.peer.name());
            tracing::info!(id, method, duration_us, peer, "the client hung up");
        }
    }
}

/// The token that a request carries: in the cookie, else in a header of that name.
pub(crate) fn session_token(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let in_cookies = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(sps::SESSION_ID)?.strip_prefix('='))
        .next()
        .map(|token| token.trim_matches('"'));
    in_cookies.or_else(|| headers.get(sps::SESSION_ID).and_then(|value| value.to_str().ok()))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// An answer outside the dialects.
pub(crate) fn plain(verb: &'static str, answer: Answer) -> Named {
    Named { verb, answer, session: None, error: None }
}
