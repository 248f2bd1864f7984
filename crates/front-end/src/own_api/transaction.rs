//! `/boxwood/v1/transaction/…` and `/boxwood/v1/confirmation/…`: what a commit would do, moving
//! onto what others did, and commits that await their confirmation.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::blocking;
use super::dress::refusal;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Caller;
use crate::changelog;
use crate::confirmation_time::{bad_wait, wait};
use crate::failure::{At, Failure};

/// What a commit would do.
pub(super) async fn plan(
    appliance: &Appliance,
    caller: &Caller,
    path: &str,
) -> Result<Answer, Failure> {
    let (engine, session) = (Arc::clone(&appliance.engine), Arc::clone(&caller.session));
    let plan = blocking(move || engine.transaction_plan(&session)).await??;
    let shows = appliance.shows();
    let at = At { method: &Method::POST, path, rights: Some(&caller.rights) };
    let refusal = plan.refusal.map(|error| refusal(&error.into(), &at, &*shows));
    Ok(Answer::document(&json!({
        "base": plan.base.get(),
        "head": plan.head.get(),
        "changes": changelog::entries(&*shows, &plan.changes),
        "commit_message": if plan.message_required { "required" } else { "optional" },
        "error": refusal,
        "meta": { "href": "/boxwood/v1/transaction/plan", "transaction": appliance.shows().transaction() },
    })))
}

/// Moves the transaction onto the newest revision.
pub(super) async fn rebase(appliance: &Appliance, caller: &Caller) -> Result<Answer, Failure> {
    let (engine, session) = (Arc::clone(&appliance.engine), Arc::clone(&caller.session));
    let base = blocking(move || engine.transaction_rebase(&session)).await?;
    let base = base?;
    Ok(Answer::document(&json!({
        "base": base.get(),
        "meta": { "href": "/boxwood/v1/transaction/rebase", "transaction": appliance.shows().transaction() },
    })))
}

/// What awaits its confirmation.
pub(super) fn confirmation(appliance: &Appliance) -> Answer {
    let awaiting = appliance
        .engine
        .confirmation()
        .map(|(revision, until)| json!({ "revision": revision.get(), "until": until.to_string() }));
    Answer::document(&json!({
        "awaiting": awaiting,
        "meta": { "href": "/boxwood/v1/confirmation", "parent": "/boxwood/v1" },
    }))
}

/// Confirms.
pub(super) async fn confirm(appliance: &Appliance, body: Value) -> Result<Answer, Failure> {
    let (engine, [token]) = (Arc::clone(&appliance.engine), texts(&body, ["token"])?);
    let revision = blocking(move || engine.commit_confirm(&token)).await??;
    Ok(Answer::document(&json!({ "confirmed": revision.get() })))
}

/// Gives more time.
pub(super) async fn extend(appliance: &Appliance, mut body: Value) -> Result<Answer, Failure> {
    let seconds = body.as_object_mut().and_then(|members| members.remove("seconds"));
    let by = seconds.as_ref().and_then(wait).ok_or_else(|| bad_wait("seconds"))?;
    let (engine, [token]) = (Arc::clone(&appliance.engine), texts(&body, ["token"])?);
    let until = blocking(move || engine.commit_extend(&token, by)).await??;
    Ok(Answer::document(&json!({ "until": until.to_string() })))
}

/// Undoes at once.
pub(super) async fn cancel(appliance: &Appliance, body: Value) -> Result<Answer, Failure> {
    let (engine, [token]) = (Arc::clone(&appliance.engine), texts(&body, ["token"])?);
    let revision = blocking(move || engine.commit_cancel(&token)).await??;
    Ok(Answer::document(&json!({ "undone_by": revision.get() })))
}

/// The members of a body, all of them texts, and no others.
pub(super) fn texts<const N: usize>(
    body: &Value,
    names: [&str; N],
) -> Result<[String; N], Failure> {
    let form = || {
        let form = names.map(|name| format!("\"{name}\": \"…\"")).join(", ");
        Failure::malformed(format!("Send {{{form}}}"), "")
    };
    let members = body.as_object().filter(|members| members.len() == N).ok_or_else(form)?;
    let text = |name| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let found: Option<Vec<String>> = names.iter().map(|name| text(*name)).collect();
    found.and_then(|found| found.try_into().ok()).ok_or_else(form)
}
