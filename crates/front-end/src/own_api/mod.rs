//! Boxwood's own API, under `/boxwood/v1/`, where no emulated path can collide with it.
//!
//! A request passes the same guards whatever it asks for, in this order: the path names an
//! [`Endpoint`]; who asks; what they may; the method; the body; the verb.

mod clients;
mod dress;
mod heads;
mod history;
mod references;
pub(crate) mod route;
mod transaction;
mod transfer;
mod watch;

use std::sync::Arc;

use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use transaction_engine::Error as EngineError;
use transaction_engine::store::StoreError;

use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Caller;
use crate::credentials::basic;
use crate::failure::{At, Failure, Place};
use crate::http_path::{canonical, parent_href};
use crate::metrics;
use crate::outcome::Outcome;
use crate::request;
use crate::transport::{Request, RequestBody};

use route::{Endpoint, Who};

/// Answers a request whose path begins with `/boxwood`.
pub(crate) async fn handle(appliance: &Appliance, request: &Request, body: RequestBody) -> Outcome {
    let head = &request.head;
    let path = canonical(head.uri.path());
    let endpoint = Endpoint::parse(head.uri.path());
    let verb = endpoint.as_ref().map_or("unknown", |endpoint| endpoint.verb(&head.method));
    let (caller, result) = match endpoint {
        None => (None, Err(Failure::NotFound(Place::Request))),
        Some(endpoint) => match caller(appliance, request, &endpoint).await {
            Err(failure) => (None, Err(failure)),
            Ok(caller) => {
                let call = Call { appliance, head, path: &path, caller: caller.as_ref() };
                let result = call.answer(endpoint, body).await;
                (caller, result)
            }
        },
    };
    let at = At {
        method: &head.method,
        path: &path,
        rights: caller.as_ref().map(|caller| &caller.rights),
    };
    let session = caller.as_ref().map(|caller| Arc::clone(&caller.name));
    let dressed = result.map_err(|failure| {
        dress::dress(&failure, &at, &*appliance.shows(), appliance.dialect.how_to_log_in())
    });
    Outcome::new(verb, session, dressed)
}

/// Who asks: by the appliance's own credentials, or the operator by Basic where the appliance's
/// requests carry none. Not asked for where it does not matter.
async fn caller(
    appliance: &Appliance,
    request: &Request,
    endpoint: &Endpoint,
) -> Result<Option<Caller>, Failure> {
    if endpoint.who() == Who::Anybody {
        return Ok(None);
    }
    if let Some(caller) = appliance.dialect.caller(appliance, request).await? {
        return Ok(Some(caller));
    }
    let header = request.head.headers.get(header::AUTHORIZATION);
    let Some(credentials) = header.and_then(|value| basic(value.as_bytes())) else {
        return Err(Failure::Unauthenticated);
    };
    let address = request.peer.address().ip();
    if !appliance.verify_administrator(address, &credentials).await? {
        return Err(Failure::CredentialsWrong);
    }
    Ok(Some(Caller::administrator(appliance.engine.session_open(&credentials.user))))
}

/// A request on its way to a verb.
struct Call<'a> {
    appliance: &'a Appliance,
    head: &'a Parts,
    path: &'a str,
    caller: Option<&'a Caller>,
}

impl Call<'_> {
    async fn answer(&self, endpoint: Endpoint, body: RequestBody) -> Result<Answer, Failure> {
        let (head, allow) = (self.head, endpoint.allow());
        if !endpoint.who().admits(self.caller.map(|caller| &caller.rights)) {
            return Err(Failure::Forbidden(Place::Request));
        }
        if !allow.permits(&head.method) {
            return Err(Failure::MethodNotAllowed(allow));
        }
        let answer = match (&head.method, self.caller) {
            (&Method::OPTIONS, _) => self.options(),
            (_, None) => for_all(self.appliance, &endpoint)?,
            (_, Some(caller)) => self.dispatch(caller, endpoint, body).await?,
        };
        Ok(answer.allow(allow))
    }

    fn options(&self) -> Answer {
        let meta = json!({ "href": self.path, "parent": parent_href(self.path) });
        Answer::document(&json!({ "meta": meta }))
    }

    async fn dispatch(
        &self,
        caller: &Caller,
        endpoint: Endpoint,
        body: RequestBody,
    ) -> Result<Answer, Failure> {
        let (appliance, head) = (self.appliance, self.head);
        if endpoint == Endpoint::Import {
            return transfer::import(appliance, caller, head, body).await;
        }
        let limits = &appliance.process.options.limits;
        let body = request::json(limits, &head.headers, body).await?;
        let query = head.uri.query();
        match endpoint {
            Endpoint::References => references::references(appliance, caller, query),
            Endpoint::Export => transfer::export(appliance, head).await,
            Endpoint::Plan => transaction::plan(appliance, caller, self.path).await,
            Endpoint::Rebase => transaction::rebase(appliance, caller).await,
            Endpoint::Confirmation => Ok(transaction::confirmation(appliance)),
            Endpoint::Confirm => transaction::confirm(appliance, needed(body)?).await,
            Endpoint::Extend => transaction::extend(appliance, needed(body)?).await,
            Endpoint::Cancel => transaction::cancel(appliance, needed(body)?).await,
            Endpoint::Revisions => history::revisions(appliance, query).await,
            Endpoint::Revision(number) => history::revision(appliance, number).await,
            Endpoint::Tree(number) => history::tree(appliance, number, query).await,
            Endpoint::Diff => history::diff(appliance, query).await,
            Endpoint::Restore(number) => history::restore(appliance, caller, number).await,
            Endpoint::Heads => Ok(heads::heads(appliance)),
            Endpoint::HeadChanges(name) => heads::changes(appliance, &name).await,
            Endpoint::Clients => clients::clients(appliance),
            Endpoint::Client(name) => {
                clients::client(appliance, caller, &head.method, &name, body).await
            }
            Endpoint::Tags => Ok(history::tags(appliance)),
            Endpoint::Tag(name) => history::tag(appliance, caller, &head.method, name, body).await,
            Endpoint::Watch => watch::watch(appliance, caller, head),
            Endpoint::Import | Endpoint::Health | Endpoint::Ready | Endpoint::Metrics => {
                for_all(appliance, &endpoint)
            }
        }
    }
}

fn needed(body: Option<Value>) -> Result<Value, Failure> {
    body.ok_or_else(|| Failure::BodyMissing("The request needs a JSON body".to_owned()))
}

/// Does what waits for the store, or takes long, on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::Internal)
}

/// What a load balancer or a monitor asks for.
fn for_all(appliance: &Appliance, endpoint: &Endpoint) -> Result<Answer, Failure> {
    match endpoint {
        Endpoint::Health => Ok(health(appliance)),
        Endpoint::Ready => ready(appliance),
        Endpoint::Metrics => Ok(metrics(appliance)),
        _ => Err(Failure::Unauthenticated),
    }
}

/// Whether the process answers at all; a poisoned store does not ask for a kill, it says so.
fn health(appliance: &Appliance) -> Answer {
    let poisoned = appliance.engine.is_poisoned();
    Answer::document(&json!({
        "revision": appliance.engine.running_number().get(),
        "status": if poisoned { "degraded" } else { "ok" },
        "store": if poisoned { "poisoned" } else { "ok" },
    }))
}

/// Whether changes can be made: what a load balancer or a test waits for.
fn ready(appliance: &Appliance) -> Result<Answer, Failure> {
    if appliance.engine.is_poisoned() {
        return Err(Failure::Engine(EngineError::Store(StoreError::Poisoned)));
    }
    Ok(Answer::document(&json!({ "status": "ready" })))
}

fn metrics(appliance: &Appliance) -> Answer {
    let Appliance { metrics, engine, logins, .. } = appliance;
    metrics.set_sessions(logins.count());
    metrics.set_transactions_open(logins.transactions_open());
    metrics.set_running_revision(engine.running_number().get());
    metrics.set_store_poisoned(engine.is_poisoned());
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    Answer::text(StatusCode::OK, metrics.encode()).header(header::CONTENT_TYPE, kind)
}
