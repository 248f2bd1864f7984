//! `/boxwood/v1/transaction/…` and `/boxwood/v1/confirmation/…`: what a commit would do, moving
//! onto what others did, and commits that await their confirmation.

use std::sync::Arc;
use std::time::Duration;

use config_tree::{NodePath, Tree};
use serde_json::{Value, json};

use super::blocking;
use crate::error::ApiError;
use crate::respond::Answer;
use crate::service::Service;
use crate::session::Login;
use crate::sps::changelog;

/// The longest time that a commit may wait for its confirmation: a week.
pub(crate) const LONGEST_WAIT: u64 = 7 * 86_400;

/// Whether the configuration asks for a message with each commit.
#[must_use]
pub fn message_required(tree: &Tree) -> bool {
    let path = NodePath::from_segments(["management", "accounting"]);
    let body = path.ok().and_then(|path| tree.body(&path));
    body.is_some_and(|body| body.value()["require_commitlog"] == json!(true))
}

/// What a commit would do.
pub(super) async fn plan(service: &Service, login: &Login) -> Result<Answer, ApiError> {
    let (engine, session) = (Arc::clone(&service.engine), Arc::clone(&login.session));
    let plan = blocking(move || engine.transaction_plan(&session)).await??;
    let (catalog, rights) = (service.engine.catalog(), &login.account.rights);
    let refusal = plan.refusal.map(|error| ApiError::of(catalog, rights, error).document());
    Ok(Answer::document(&json!({
        "base": plan.base.get(),
        "head": plan.head.get(),
        "changes": changelog::entries(catalog, &plan.changes),
        "commit_message": if plan.message_required { "required" } else { "optional" },
        "error": refusal,
        "meta": { "href": "/boxwood/v1/transaction/plan", "transaction": "/api/transaction" },
    })))
}

/// Moves the transaction onto the newest revision.
pub(super) async fn rebase(service: &Service, login: &Login) -> Result<Answer, ApiError> {
    let (engine, session) = (Arc::clone(&service.engine), Arc::clone(&login.session));
    let base = blocking(move || engine.transaction_rebase(&session)).await?;
    let (catalog, rights) = (service.engine.catalog(), &login.account.rights);
    let base = base.map_err(|error| ApiError::of(catalog, rights, error))?;
    Ok(Answer::document(&json!({
        "base": base.get(),
        "meta": { "href": "/boxwood/v1/transaction/rebase", "transaction": "/api/transaction" },
    })))
}

/// What awaits its confirmation.
pub(super) fn confirmation(service: &Service) -> Answer {
    let awaiting = service
        .engine
        .confirmation()
        .map(|(revision, until)| json!({ "revision": revision.get(), "until": until.to_string() }));
    Answer::document(&json!({
        "awaiting": awaiting,
        "meta": { "href": "/boxwood/v1/confirmation", "parent": "/boxwood/v1" },
    }))
}

/// Confirms.
pub(super) async fn confirm(service: &Service, body: Value) -> Result<Answer, ApiError> {
    let (engine, [token]) = (Arc::clone(&service.engine), texts(&body, ["token"])?);
    let revision = blocking(move || engine.commit_confirm(&token)).await??;
    Ok(Answer::document(&json!({ "confirmed": revision.get() })))
}

/// Gives more time.
pub(super) async fn extend(service: &Service, mut body: Value) -> Result<Answer, ApiError> {
    let seconds = body.as_object_mut().and_then(|members| members.remove("seconds"));
    let by = seconds.as_ref().and_then(wait).ok_or_else(|| bad_wait("seconds"))?;
    let (engine, [token]) = (Arc::clone(&service.engine), texts(&body, ["token"])?);
    let until = blocking(move || engine.commit_extend(&token, by)).await??;
    Ok(Answer::document(&json!({ "until": until.to_string() })))
}

/// Undoes at once.
pub(super) async fn cancel(service: &Service, body: Value) -> Result<Answer, ApiError> {
    let (engine, [token]) = (Arc::clone(&service.engine), texts(&body, ["token"])?);
    let revision = blocking(move || engine.commit_cancel(&token)).await??;
    Ok(Answer::document(&json!({ "undone_by": revision.get() })))
}

/// How long a commit may wait for its confirmation, in whole seconds.
pub(crate) fn wait(value: &Value) -> Option<Duration> {
    let seconds = value.as_u64().filter(|seconds| (1..=LONGEST_WAIT).contains(seconds));
    seconds.map(Duration::from_secs)
}

/// The refusal of another value.
pub(crate) fn bad_wait(name: &str) -> ApiError {
    let message = format!("`{name}` must be a whole number from 1 to {LONGEST_WAIT}");
    ApiError::syntactic(message, &format!("/{name}"))
}

/// The members of a body, all of them texts, and no others.
pub(super) fn texts<const N: usize>(
    body: &Value,
    names: [&str; N],
) -> Result<[String; N], ApiError> {
    let form = || {
        let form = names.map(|name| format!("\"{name}\": \"…\"")).join(", ");
        ApiError::syntactic(format!("Send {{{form}}}"), "")
    };
    let members = body.as_object().filter(|members| members.len() == N).ok_or_else(form)?;
    let text = |name| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let found: Option<Vec<String>> = names.iter().map(|name| text(*name)).collect();
    found.and_then(|found| found.try_into().ok()).ok_or_else(form)
}
