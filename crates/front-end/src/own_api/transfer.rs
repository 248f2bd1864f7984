//! `/boxwood/v1/export` and `/boxwood/v1/import`: a whole configuration at once, for those who may
//! see and change all of it.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::http::request::Parts;
use serde_json::{Value, json};
use transaction_engine::Error as EngineError;

use super::blocking;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Caller;
use crate::failure::Failure;
use crate::query::Query;
use crate::request::expect_json_type;
use crate::transfer::{self, Document, Outcome, Refusal, SecretHandling};
use crate::transport::RequestBody;

/// The committed configuration as a document.
pub(super) async fn export(appliance: &Appliance, head: &Parts) -> Result<Answer, Failure> {
    let query = Query::read(head.uri.query(), &["secrets"])?;
    let secrets = SecretHandling::parse(query.get("secrets").unwrap_or("sealed"))
        .ok_or_else(|| Failure::malformed("`secrets` must be sealed or omit", ""))?;
    let (catalog, running) = (Arc::clone(appliance.engine.catalog()), appliance.engine.running());
    // As long as the tree is large: not on a thread that others wait for.
    let text = blocking(move || transfer::export(&catalog, running.number, &running.tree, secrets))
        .await?;
    Ok(Answer::text(StatusCode::OK, Bytes::from(text)))
}

/// A document as one transaction, or what it would change.
pub(super) async fn import(
    appliance: &Appliance,
    caller: &Caller,
    head: &Parts,
    body: RequestBody,
) -> Result<Answer, Failure> {
    let query = Query::read(head.uri.query(), &["dry_run", "message"])?;
    let dry_run = match query.get("dry_run") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Failure::malformed("`dry_run` must be true or false", "")),
    };
    let message = query.get("message").unwrap_or(transfer::MESSAGE).to_owned();
    expect_json_type(&head.headers)?;
    let limits = &appliance.process.options.limits;
    // A document may be larger than any other body, and takes longer by as much.
    let longer = appliance.process.options.import_bytes.div_ceil(limits.body_bytes.max(1));
    let longer = u32::try_from(longer).unwrap_or(u32::MAX);
    let time = limits.body_timeout.saturating_mul(longer);
    let text = body.read(appliance.process.options.import_bytes, time).await?;
    // A holder whose session is over must not stand in the way until it is noticed.
    appliance.logins.expire();

    let (engine, depth) = (Arc::clone(&appliance.engine), limits.json_depth);
    let user = caller.session.user().to_owned();
    // Goes on when the client goes away, as every commit does.
    let outcome = blocking(move || {
        let document = Document::parse(&text)?;
        if dry_run {
            let running = engine.running();
            transfer::rehearse(&engine, (running.number, &running.tree), &document, depth, &|_| {})
        } else {
            transfer::import(&engine, &user, &document, &message, depth, &|_| {})
        }
    })
    .await??;
    if !dry_run {
        tracing::info!(revision = outcome.revision, nodes = outcome.nodes, "imported");
    }
    Ok(Answer::document(&shown(&outcome)))
}

fn shown(outcome: &Outcome) -> Value {
    // Numbers, texts and lists of them: nothing that JSON could not hold.
    serde_json::to_value(outcome).unwrap_or_else(|_| json!({}))
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Document(error) => Self::BodyInvalid(error.to_string()),
            Refusal::Appliance { .. } => Self::malformed(refusal.to_string(), "/appliance"),
            Refusal::Violations(violations) => EngineError::Invalid(violations).into(),
            Refusal::Engine(error) => error.into(),
        }
    }
}
