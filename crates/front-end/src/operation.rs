//! Boxwood's own endpoints, under `/boxwood/v1/`, where no emulated path can collide with them.

mod history;
pub(crate) mod query;
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

use route::Endpoint;
pub use transaction::message_required;
pub(crate) use transaction::{bad_wait, wait};

use crate::error::ApiError;
use crate::request;
use crate::respond::{Allow, Answer};
use crate::service::{Service, plain};
use crate::session::Login;
use crate::sps::{Named, address};
use crate::transport::RequestBody;

/// Answers a request whose path begins with `/boxwood`.
pub(crate) async fn handle(service: &Service, head: &Parts, body: RequestBody) -> Named {
    let path = address::canonical(head.uri.path());
    match &*path {
        "/boxwood/v1/references" | "/boxwood/v1/export" | "/boxwood/v1/import" => {
            for_users(service, head, &path, body).await
        }
        _ => match Endpoint::parse(head.uri.path()) {
            Some(endpoint) => for_sessions(service, head, &path, body, endpoint).await,
            None => for_all(service, head, &path),
        },
    }
}

/// Transactions, confirmations and the history.
async fn for_sessions(
    service: &Service,
    head: &Parts,
    path: &str,
    body: RequestBody,
    endpoint: Endpoint,
) -> Named {
    let login = service.find_login(&head.headers);
    let session = login.as_ref().map(|login| Arc::clone(&login.name));
    let (verb, allow) = (endpoint.verb(&head.method), endpoint.allow());
    let outcome = async {
        let login = login.as_ref().ok_or_else(|| ApiError::unauthenticated(path))?;
        let rights = &login.account.rights;
        let may = if endpoint.is_of_the_whole() { rights.is_all() } else { rights.allow_changes() };
        if !may {
            return Err(ApiError::unauthorized(path));
        }
        if !allow.permits(&head.method) {
            return Err(ApiError::method_not_allowed(&head.method, path, allow));
        }
        if head.method == Method::OPTIONS {
            return Ok(options(path));
        }
        let body = request::json(&service.options.limits, &head.headers, body).await?;
        dispatch(service, login, head, body, endpoint).await
    };
    match outcome.await {
        Ok(answer) => Named { verb, answer: answer.allow(allow), session, error: None },
        Err(error) => {
            let answer = error.answer(path);
            Named { verb, answer, session, error: Some((error.kind(), error.message().to_owned())) }
        }
    }
}

async fn dispatch(
    service: &Service,
    login: &Login,
    head: &Parts,
    body: Option<Value>,
    endpoint: Endpoint,
) -> Result<Answer, ApiError> {
    let query = head.uri.query();
    let needed = |body: Option<Value>| {
        body.ok_or_else(|| ApiError::invalid_body("The request needs a JSON body"))
    };
    match endpoint {
        Endpoint::Plan => transaction::plan(service, login).await,
        Endpoint::Rebase => transaction::rebase(service, login).await,
        Endpoint::Confirmation => Ok(transaction::confirmation(service)),
        Endpoint::Confirm => transaction::confirm(service, needed(body)?).await,
        Endpoint::Extend => transaction::extend(service, needed(body)?).await,
        Endpoint::Cancel => transaction::cancel(service, needed(body)?).await,
        Endpoint::Revisions => history::revisions(service, query).await,
        Endpoint::Revision(number) => history::revision(service, number).await,
        Endpoint::Tree(number) => history::tree(service, number, query).await,
        Endpoint::Diff => history::diff(service, query).await,
        Endpoint::Restore(number) => history::restore(service, login, number).await,
        Endpoint::Tags => Ok(history::tags(service)),
        Endpoint::Tag(name) => history::tag(service, login, &head.method, name, body).await,
        Endpoint::Watch => watch::watch(service, login, head),
    }
}

/// Does what waits for the store, or takes long, on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::internal())
}

/// What takes a login.
async fn for_users(service: &Service, head: &Parts, path: &str, body: RequestBody) -> Named {
    let login = service.find_login(&head.headers);
    let (verb, allow) = match path {
        "/boxwood/v1/references" => ("references", Allow::GET),
        "/boxwood/v1/export" => ("export", Allow::GET),
        _ => ("import", Allow { post: true, ..Allow::default() }),
    };
    let outcome = async {
        let login = login.as_ref().ok_or_else(|| ApiError::unauthenticated(path))?;
        if !allow.permits(&head.method) {
            return Err(ApiError::method_not_allowed(&head.method, path, allow));
        }
        match verb {
            _ if head.method == Method::OPTIONS => Ok(options(path)),
            "references" => references::references(service, login, head.uri.query()),
            "export" => transfer::export(service, login, head).await,
            _ => transfer::import(service, login, head, body).await,
        }
    };
    let session = login.as_ref().map(|login| Arc::clone(&login.name));
    match outcome.await {
        Ok(answer) => Named { verb, answer: answer.allow(allow), session, error: None },
        Err(error) => {
            let answer = error.answer(path);
            Named { verb, answer, session, error: Some((error.kind(), error.message().to_owned())) }
        }
    }
}

fn options(path: &str) -> Answer {
    let meta = json!({ "href": path, "parent": address::parent_href(path) });
    Answer::document(&json!({ "meta": meta }))
}

/// What a load balancer or a monitor asks for.
fn for_all(service: &Service, head: &Parts, path: &str) -> Named {
    let (verb, answer) = match path {
        "/boxwood/v1/health" => ("health", health(service)),
        "/boxwood/v1/ready" => ("ready", ready(service)),
        "/boxwood/v1/metrics" => ("metrics", metrics(service)),
        _ => return plain("unknown", ApiError::not_found(path).answer(path)),
    };
    if !Allow::GET.permits(&head.method) {
        let error = ApiError::method_not_allowed(&head.method, path, Allow::GET);
        return plain(verb, error.answer(path));
    }
    if head.method == Method::OPTIONS {
        return plain(verb, options(path).allow(Allow::GET));
    }
    plain(verb, answer.allow(Allow::GET))
}

/// Whether the process answers at all; a poisoned store does not ask for a kill, it says so.
fn health(service: &Service) -> Answer {
    let poisoned = service.engine.is_poisoned();
    Answer::document(&json!({
        "revision": service.engine.running_number().get(),
        "status": if poisoned { "degraded" } else { "ok" },
        "store": if poisoned { "poisoned" } else { "ok" },
    }))
}

/// Whether changes can be made: what a load balancer or a test waits for.
fn ready(service: &Service) -> Answer {
    if service.engine.is_poisoned() {
        return ApiError::store_poisoned().answer("/boxwood/v1/ready");
    }
    Answer::document(&json!({ "status": "ready" }))
}

fn metrics(service: &Service) -> Answer {
    let metrics = &service.metrics;
    metrics.set_sessions(service.logins.count());
    metrics.set_transactions_open(service.logins.transactions_open());
    metrics.set_running_revision(service.engine.running_number().get());
    metrics.set_store_poisoned(service.engine.is_poisoned());
    let text =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Answer::text(StatusCode::OK, metrics.encode()).header(header::CONTENT_TYPE, text)
}
