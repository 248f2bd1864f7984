//! The SPS 6.2 REST protocol: one dialect over the engine.
//!
//! A request passes the same stations whatever it asks for, in this order: the path names a
//! [`Route`]; who asks (401 comes before 404); what is there (404 before 405); what may be done
//! with it (405 before the body is looked at); the body; the engine's verb; the answer.
//!
//! Nothing here knows how a transaction works, and nothing below knows of paths that begin with
//! `/api`, of cookies or of status codes.

pub(crate) mod address;
mod authentication;
pub(crate) mod changelog;
mod configuration;
pub(crate) mod document;
mod info;
mod kept;
pub(crate) mod route;
mod transaction;

use std::sync::Arc;

use hyper::Method;
use hyper::http::request::Parts;
use serde_json::{Value, json};
use transaction_engine::Idempotency;

use crate::accounts::Access;
use crate::error::ApiError;
use crate::request;
use crate::respond::{Allow, Answer};
use crate::service::Service;
use crate::session::Login;
use crate::transport::{Peer, Request, RequestBody};

pub(crate) use authentication::{Credentials, SESSION_ID, basic};
pub(crate) use configuration::node_get_again;
pub(crate) use info::config_hash;
pub(crate) use kept::Keep;
use route::{Route, RouteError};

/// A request on its way to a verb.
struct Call<'a> {
    service: &'a Service,
    head: &'a Parts,
    peer: &'a Peer,
    /// The path as it is shown back.
    path: &'a str,
    login: Option<Arc<Login>>,
}

/// What the log is told about a request, beside its answer.
pub(crate) struct Named {
    pub(crate) verb: &'static str,
    pub(crate) answer: Answer,
    /// The session by its name for people.
    pub(crate) session: Option<Arc<str>>,
    pub(crate) error: Option<(&'static str, String)>,
}

/// Answers a request whose path begins with `/api`.
pub(crate) async fn handle(service: &Service, request: &Request, body: RequestBody) -> Named {
    let Request { head, peer, .. } = request;
    let path = address::canonical(head.uri.path());
    let login = service.find_login(&head.headers);
    let session = login.as_ref().map(|login| Arc::clone(&login.name));
    let call = Call { service, head, peer, path: &path, login };
    let (verb, outcome) = match Route::parse(head.uri.path()) {
        Ok(route) => (route::verb(&route, &head.method), call.dispatch(route, body).await),
        Err(RouteError::Undecodable) => ("undecodable", Err(ApiError::bad_path())),
    };
    match outcome {
        Ok(answer) => Named { verb, answer, session, error: None },
        Err(error) => {
            let answer = error.answer(&path);
            Named { verb, answer, session, error: Some((error.kind(), error.message().to_owned())) }
        }
    }
}

impl Call<'_> {
    async fn dispatch(&self, route: Route, body: RequestBody) -> Result<Answer, ApiError> {
        if self.login.is_none() && !route.is_anonymous() {
            return Err(ApiError::unauthenticated(self.path));
        }
        self.authorise(&route)?;
        match route {
            Route::Unknown => Err(ApiError::not_found(self.path)),
            Route::Node(path) => self.node(&path, body).await,
            // Apart, as everything that waits and is no read of a node.
            Route::Order(path) => Box::pin(self.order(&path, body)).await,
            route => Box::pin(self.entry_point(route, body)).await,
        }
    }

    /// What is there once, beside the configuration.
    async fn entry_point(&self, route: Route, body: RequestBody) -> Result<Answer, ApiError> {
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
            Route::Root | Route::Unknown | Route::Node(_) | Route::Order(_) => self.root(),
        };
        Ok(answer.allow(allow))
    }

    // Before anything is looked up: whether something is there is part of what rights protect.
    fn authorise(&self, route: &Route) -> Result<(), ApiError> {
        let Some(login) = &self.login else {
            return Ok(());
        };
        let rights = &login.account.rights;
        let writes = !matches!(self.head.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let access = if writes { Access::Write } else { Access::Read };
        let allowed = match route {
            Route::Node(path) | Route::Order(path) => rights.allow(access, path),
            // Rolling back, and seeing that nothing is open, harms nobody.
            Route::Transaction if matches!(self.head.method, Method::POST | Method::PUT) => {
                rights.allow_changes()
            }
            _ => true,
        };
        if allowed { Ok(()) } else { Err(ApiError::unauthorized(self.path)) }
    }

    fn expect_method(&self, allow: Allow) -> Result<(), ApiError> {
        if allow.permits(&self.head.method) {
            Ok(())
        } else {
            Err(ApiError::method_not_allowed(&self.head.method, self.path, allow))
        }
    }

    /// The answer to OPTIONS: what `Allow` says, and where one is.
    fn options(&self, allow: Allow) -> Answer {
        let parent = address::parent_href(self.path);
        Answer::document(&json!({ "meta": { "href": self.path, "parent": parent } })).allow(allow)
    }

    /// The caller's login. Routes that may be used without one do not ask.
    fn login(&self) -> Result<&Arc<Login>, ApiError> {
        self.login.as_ref().ok_or_else(|| ApiError::unauthenticated(self.path))
    }

    fn remaining_seconds(&self) -> u64 {
        self.service.logins.idle().as_secs()
    }

    /// A JSON body; `None` when there is none.
    async fn json(&self, body: RequestBody) -> Result<Option<Value>, ApiError> {
        request::json(&self.service.options.limits, &self.head.headers, body).await
    }

    /// By what the request is recognised when it is sent again: its key, and a hash of what it asks.
    fn idempotency(&self, body: Option<&Value>) -> Result<Option<Idempotency>, ApiError> {
        let mut keys = self.head.headers.get_all("idempotency-key").iter();
        let Some(key) = keys.next() else { return Ok(None) };
        if keys.next().is_some() {
            return Err(ApiError::syntactic("The request has two Idempotency-Key headers", ""));
        }
        let mut asked = blake3::Hasher::new();
        asked.update(self.head.method.as_str().as_bytes()).update(self.path.as_bytes());
        // Straight into the hash: the body may hold a secret. Hashing cannot fail.
        let _ = serde_json::to_writer(&mut asked, &body);
        let asked = *asked.finalize().as_bytes();
        let key = key.to_str().ok().and_then(|key| Idempotency::new(key, asked));
        let message = "Idempotency-Key must be 1 to 255 printable ASCII characters";
        key.map(Some).ok_or_else(|| ApiError::syntactic(message, ""))
    }

    /// A JSON body where one is needed.
    async fn json_needed(&self, body: RequestBody) -> Result<Value, ApiError> {
        let missing = || ApiError::invalid_body("The request needs a JSON body");
        self.json(body).await?.ok_or_else(missing)
    }
}
