//! What answers here, whether it is well, and what its refusals and nodes are like.

use catalog::{Endpoint, EndpointKind};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde_json::{Value, json};
use transaction_engine::store::StoreError;
use transaction_engine::{Error as EngineError, Mode};

use super::call::{Call, Refused};
use super::problem::{PROBLEMS, Problem};
use super::route::{Answers, Operation, PREFIX, Who, ok, run};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Access;
use crate::failure::{Failure, Place};
use crate::methods::Methods;
use crate::metrics;
use crate::transport::Validity;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::GET, "", "about", Who::Anybody, run!(about))
        .does("Say what answers", "The product, its version and the appliance of this listener.")
        .answers(&[ok("About", "What answers here.")]),
    Operation::new(Methods::GET, "health", "health", Who::Anybody, run!(health))
        .does("Say whether the daemon is well", "Answers as long as the daemon does.")
        .answers(&[ok("Health", "The daemon answers; `status` says how it is.")]),
    Operation::new(Methods::GET, "ready", "ready", Who::Anybody, run!(ready))
        .does("Say whether changes can be made", "What a load balancer or a test waits for.")
        .answers(&[ok("Ready", "Changes can be made.")])
        .refuses(&[503]),
    Operation::new(Methods::GET, "metrics", "metrics", Who::Anybody, run!(metrics))
        .does("Read counters", "Counters and gauges in the text format of OpenMetrics.")
        .answers(&[Answers {
            status: 200,
            media: "application/openmetrics-text",
            schema: "",
            about: "All counters.",
        }]),
    Operation::new(Methods::GET, "problems", "problems", Who::Anybody, run!(problems))
        .does("List the kinds of refusals", "The `type` of each refusal leads to one of these.")
        .answers(&[ok("Problems", "All kinds.")]),
    Operation::new(Methods::GET, "problems/{name}", "problem", Who::Anybody, run!(problem))
        .does("Explain a kind of refusal", "What it means, and what to do about it.")
        .answers(&[ok("ProblemKind", "The kind.")])
        .refuses(&[404]),
    Operation::new(Methods::GET, "openapi.json", "openapi", Who::Anybody, run!(openapi))
        .does("Describe this API", "This document: OpenAPI 3.1, made from the router's own rows.")
        .answers(&[ok("OpenApi", "The document.")]),
    Operation::new(Methods::GET, "schema", "schema_root", Who::Users, run!(schema))
        .does("Describe the root", "What the catalog says of the root of the configuration.")
        .answers(&[ok("Description", "The description.")]),
    Operation::new(Methods::GET, "schema/{path}", "schema", Who::Users, run!(schema))
        .does(
            "Describe what may stand at a path",
            "What the catalog says: kind, titles, what may be done, JSON Schema, examples.",
        )
        .answers(&[ok("Description", "The description.")])
        .refuses(&[403, 404]),
];

async fn about(call: Call<'_>) -> Result<Answer, Refused> {
    let Appliance { name, engine, .. } = call.appliance;
    let catalog = engine.catalog();
    Ok(Answer::document(&json!({
        "api": "v1",
        "appliance": {
            "dialect": catalog.dialect(),
            "mode": mode(engine.mode()),
            "name": &**name,
            "title": catalog.title(),
        },
        "meta": { "href": PREFIX, "login": format!("{PREFIX}/sessions") },
        "product": "boxwood",
        "revision": engine.running_number().get(),
        "version": env!("CARGO_PKG_VERSION"),
    })))
}

/// The word for how transactions get along.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Exclusive => "exclusive",
        Mode::Concurrent => "concurrent",
        Mode::Autocommit => "autocommit",
    }
}

/// Whether the process answers at all; a poisoned store does not ask for a kill, it says so.
async fn health(call: Call<'_>) -> Result<Answer, Refused> {
    let engine = &call.appliance.engine;
    let poisoned = engine.is_poisoned();
    let mut shown = json!({
        "revision": engine.running_number().get(),
        "status": if poisoned { "degraded" } else { "ok" },
        "store": if poisoned { "poisoned" } else { "ok" },
    });
    if let Some(facts) = call.appliance.certificate().facts() {
        let validity = facts.validity(call.appliance.now());
        if validity != Validity::Good {
            let expires = facts.expires.to_string();
            shown["certificate"] = json!({ "expires": expires, "status": validity.text() });
        }
    }
    Ok(Answer::document(&shown))
}

async fn ready(call: Call<'_>) -> Result<Answer, Refused> {
    if call.appliance.engine.is_poisoned() {
        return Err(EngineError::Store(StoreError::Poisoned).into());
    }
    Ok(Answer::document(&json!({ "status": "ready" })))
}

async fn metrics(call: Call<'_>) -> Result<Answer, Refused> {
    let Appliance { metrics, engine, logins, acting, .. } = call.appliance;
    metrics.set_delivery(&acting.delivery);
    metrics.set_sessions(logins.count());
    metrics.set_transactions_open(logins.transactions_open());
    metrics.set_running_revision(engine.running_number().get());
    metrics.set_store_poisoned(engine.is_poisoned());
    if let Some(facts) = call.appliance.certificate().facts() {
        metrics.set_certificate_expires(facts.expires.as_micros().div_euclid(1_000_000));
    }
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    let answer = Answer::text(StatusCode::OK, metrics.encode());
    Ok(answer.header(header::CONTENT_TYPE, kind))
}

async fn problems(_call: Call<'_>) -> Result<Answer, Refused> {
    let items: Vec<Value> = PROBLEMS.iter().map(|problem| problem.shown()).collect();
    let meta = json!({ "href": format!("{PREFIX}/problems"), "parent": PREFIX });
    Ok(Answer::document(&json!({ "items": items, "meta": meta })))
}

async fn problem(call: Call<'_>) -> Result<Answer, Refused> {
    let problem = Problem::named(call.step("name")).ok_or(Failure::NotFound(Place::Request))?;
    Ok(Answer::document(&problem.shown()))
}

async fn openapi(_call: Call<'_>) -> Result<Answer, Refused> {
    Ok(Answer::document(&super::openapi::document()))
}

/// What the catalog says of a path, whether something is there or not.
async fn schema(call: Call<'_>) -> Result<Answer, Refused> {
    let (path, catalog) = (call.node()?, call.appliance.engine.catalog());
    if !call.caller()?.rights.allow(Access::Read, &path) {
        return Err(Failure::Forbidden(Place::Node(path)).into());
    }
    let endpoint = catalog.endpoint(&path).ok_or(Failure::NotFound(Place::Request))?;
    let children = catalog.endpoints().filter(|child| {
        endpoint.kind() == EndpointKind::Folder && child.path().parent().as_ref() == Some(&path)
    });
    let child = |child: Endpoint<'_>| {
        let key = child.path().key().map(ToString::to_string).unwrap_or_default();
        json!({ "key": key, "kind": child.kind().name(), "title": child.title() })
    };
    let mut shown = described(endpoint);
    shown["children"] = children.map(child).collect();
    shown["path"] = json!(path.to_string());
    shown["meta"] = json!({ "href": call.path, "node": format!("{PREFIX}/nodes{path}") });
    Ok(Answer::document(&shown))
}

fn described(endpoint: Endpoint<'_>) -> Value {
    let has_body = endpoint.kind() != EndpointKind::Folder;
    let examples = endpoint.examples().iter();
    let examples: Vec<Value> =
        examples.map(|one| json!({ "title": one.title, "body": one.body })).collect();
    json!({
        "default": endpoint.default(),
        "description": endpoint.description(),
        "examples": examples,
        "fidelity": endpoint.fidelity().name(),
        "key": { "rule": endpoint.key_rule().name(), "schema": endpoint.key_schema().map(|s| s.to_json_schema()) },
        "kind": endpoint.kind().name(),
        "operations": endpoint.operations().words().collect::<Vec<_>>(),
        "pattern": endpoint.pattern(),
        "schema": has_body.then(|| endpoint.schema().to_json_schema()),
        "title": endpoint.title(),
        "unique": endpoint.unique(),
    })
}
