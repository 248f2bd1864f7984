//! Boxwood's own endpoints, under `/boxwood/v1/`, where no emulated path can collide with them.

mod query;
mod references;
mod transfer;

use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::error::ApiError;
use crate::respond::{Allow, Answer};
use crate::service::{Service, plain};
use crate::sps::{Named, address};

/// Answers a request whose path begins with `/boxwood`.
pub(crate) fn handle(service: &Service, head: &Parts) -> Named {
    let path = address::canonical(head.uri.path());
    let (verb, answer) = match path.as_str() {
        "/boxwood/v1/health" => ("health", health(service)),
        "/boxwood/v1/ready" => ("ready", ready(service)),
        "/boxwood/v1/metrics" => ("metrics", metrics(service)),
        _ => return plain("unknown", ApiError::not_found(&path).answer(&path)),
    };
    if !Allow::GET.permits(&head.method) {
        let error = ApiError::method_not_allowed(&head.method, &path, Allow::GET);
        return plain(verb, error.answer(&path));
    }
    if head.method == Method::OPTIONS {
        let meta = json!({ "href": path, "parent": address::parent_href(&path) });
        return plain(verb, Answer::document(&json!({ "meta": meta })).allow(Allow::GET));
    }
    plain(verb, answer.allow(Allow::GET))
}

/// Whether the process answers at all; a poisoned store does not ask for a kill, it says so.
fn health(service: &Service) -> Answer {
    let poisoned = service.engine.is_poisoned();
    Answer::document(&json!({
        "revision": service.engine.running().number.get(),
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
    metrics.set_running_revision(service.engine.running().number.get());
    metrics.set_store_poisoned(service.engine.is_poisoned());
    let text =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Answer::text(StatusCode::OK, metrics.encode()).header(header::CONTENT_TYPE, text)
}
