//! `/boxwood/v1/export` and `/boxwood/v1/import`: a whole configuration at once, for those who may
//! see and change all of it.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};
use transaction_engine::Error as EngineError;

use super::blocking;
use super::call::{Call, Refused};
use super::route::{Operation, Takes, Who, ok, query, run};
use crate::answer::Answer;
use crate::failure::Failure;
use crate::methods::Methods;
use crate::request::expect_json_type;
use crate::transfer::{self, Document, Outcome, Refusal, SecretHandling};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::GET, "export", "export", Who::Administrators, run!(export))
        .does("Export the configuration", "The committed configuration as one document.")
        .with(&[query("secrets", "string", "`sealed`, which the same key opens again, or `omit`.")])
        .answers(&[ok("Export", "The document.")])
        .refuses(&[400]),
    Operation::new(Methods::POST, "import", "import", Who::Administrators, run!(import))
        .does("Import a configuration", "A document as one transaction, or what it would change.")
        .with(&[
            query("dry_run", "boolean", "Check everything, say what would change, change nothing."),
            query("message", "string", "Why, for the history."),
        ])
        .takes_as(Takes::Stream { schema: "Export" })
        .answers(&[ok("Imported", "What has changed, or would.")])
        .refuses(&[400, 408, 409, 413, 415, 503]),
];

/// The committed configuration as a document.
async fn export(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, query) = (call.appliance, call.query()?);
    let secrets = SecretHandling::parse(query.get("secrets").unwrap_or("sealed"))
        .ok_or_else(|| Failure::malformed("`secrets` must be sealed or omit", ""))?;
    let (catalog, running) = (Arc::clone(appliance.engine.catalog()), appliance.engine.running());
    // As long as the tree is large: not on a thread that others wait for.
    let text = blocking(move || transfer::export(&catalog, running.number, &running.tree, secrets))
        .await?;
    Ok(Answer::text(StatusCode::OK, Bytes::from(text)))
}

/// A document as one transaction, or what it would change.
async fn import(mut call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller, head) = (call.appliance, call.caller()?, call.head);
    let body = call.stream.take().unwrap_or_default();
    let query = call.query()?;
    let dry_run = match query.get("dry_run") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Failure::malformed("`dry_run` must be true or false", "").into()),
    };
    let message = query.get("message").unwrap_or(transfer::MESSAGE).to_owned();
    expect_json_type(&head.headers)?;
    let limits = &appliance.process.options.limits;
    // A document may be larger than any other body, and takes longer by as much.
    let longer = appliance.process.options.import_bytes.div_ceil(limits.body_bytes.max(1));
    let longer = u32::try_from(longer).unwrap_or(u32::MAX);
    let time = limits.body_timeout.saturating_mul(longer);
    let text = body.read(appliance.process.options.import_bytes, time).await;
    let text = text.map_err(Failure::from)?;
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
    .await?
    .map_err(Failure::from)?;
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
