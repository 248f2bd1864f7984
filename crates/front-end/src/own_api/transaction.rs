//! `/boxwood/v1/transaction/…` and `/boxwood/v1/confirmation/…`: the caller's transaction from its
//! opening to its commit, commits that await their confirmation, and the transactions of others.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;
use transaction_engine::{CommitOptions, Committed, Confirmation, Opened};

use super::about::mode;
use super::call::{Call, Refused};
use super::dress::{problem, refusal};
use super::route::{IDEMPOTENCY_KEY, Operation, PREFIX, Who, answer, ok, run};
use super::{blocking, changes};
use crate::answer::Answer;
use crate::confirmation_time::{bad_wait, wait};
use crate::failure::{At, Failure, Place};
use crate::methods::Methods;
use crate::metrics::CommitOutcome;

const WRITERS: Who = Who::Writers;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::GET, "transaction", "transaction", Who::Users, run!(status))
        .does("Read the transaction", "Whether one is open in the caller's session, and its base.")
        .answers(&[ok("Transaction", "The transaction.")]),
    Operation::new(Methods::POST, "transaction", "transaction_open", WRITERS, run!(open))
        .does(
            "Open a transaction",
            "Changes are staged in it until it is committed or rolled back. One that is open already \
             stays as it is.",
        )
        .answers(&[answer(201, "Transaction", "It is open.")])
        .refuses(&[409]),
    Operation::new(Methods::DELETE, "transaction", "transaction_rollback", WRITERS, run!(rollback))
        .does("Roll back", "Discards what is staged and releases the lock.")
        .answers(&[ok("Transaction", "Nothing is open.")])
        .refuses(&[409]),
    Operation::new(
        Methods::GET,
        "transaction/changes",
        "transaction_changes",
        Who::Users,
        run!(staged),
    )
    .does("List staged changes", "What the transaction changes, by the smallest parts that differ.")
    .answers(&[ok("Changes", "The changes.")]),
    Operation::new(Methods::POST, "transaction/plan", "transaction_plan", WRITERS, run!(plan))
        .does("Plan a commit", "What a commit would do now, or be refused with; changes nothing.")
        .answers(&[ok("Plan", "The plan.")])
        .refuses(&[409]),
    Operation::new(Methods::POST, "transaction/rebase", "transaction_rebase", WRITERS, run!(rebase))
        .does("Rebase", "Moves the transaction onto the newest revision.")
        .answers(&[ok("Rebased", "The new base.")])
        .refuses(&[409]),
    Operation::new(Methods::POST, "transaction/commit", "transaction_commit", WRITERS, run!(commit))
        .does("Commit", "Checks the configuration as a whole, makes it durable, and runs it.")
        .with(&[IDEMPOTENCY_KEY])
        .may_take("CommitOptions")
        .answers(&[ok("Committed", "The revision that holds the changes.")])
        .refuses(&[400, 409, 422, 503]),
    Operation::new(
        Methods::GET,
        "transactions",
        "transactions",
        Who::Administrators,
        run!(transactions),
    )
    .does("List open transactions", "Those of all sessions of the appliance.")
    .answers(&[ok("Transactions", "The open transactions.")]),
    Operation::new(
        Methods::DELETE,
        "transactions/{session}",
        "transaction_end",
        Who::Administrators,
        run!(end),
    )
    .does("Roll back a transaction of another session", "The session stays, without its lock.")
    .answers(&[ok("Done", "It is rolled back.")])
    .refuses(&[404, 409]),
    Operation::new(Methods::GET, "confirmation", "confirmation", WRITERS, run!(confirmation))
        .does("Say what awaits its confirmation", "The commit that is undone unless confirmed.")
        .answers(&[ok("Awaiting", "What awaits it.")]),
    Operation::new(
        Methods::POST,
        "confirmation/confirm",
        "commit_confirm",
        WRITERS,
        run!(confirm),
    )
    .does("Confirm a commit", "It stays.")
    .takes("ConfirmToken")
    .answers(&[ok("Confirmed", "It is confirmed.")])
    .refuses(&[400, 404, 503]),
    Operation::new(Methods::POST, "confirmation/extend", "commit_extend", WRITERS, run!(extend))
        .does("Give a commit more time", "That many seconds from now.")
        .takes("Extension")
        .answers(&[ok("Extended", "The new time.")])
        .refuses(&[400, 404, 503]),
    Operation::new(Methods::POST, "confirmation/cancel", "commit_cancel", WRITERS, run!(cancel))
        .does("Undo a commit at once", "As a new revision.")
        .takes("ConfirmToken")
        .answers(&[ok("Cancelled", "It is undone.")])
        .refuses(&[400, 404, 503]),
];

// ===== the caller's transaction =====

/// A transaction as others see it.
pub(super) fn opened(opened: &Opened) -> Value {
    json!({
        "base": opened.base.get(),
        "changes": opened.changes,
        "since": opened.since.to_string(),
    })
}

fn shown(call: &Call<'_>) -> Result<Value, Failure> {
    let (engine, session) = (&call.appliance.engine, &call.caller()?.session);
    let status = engine.transaction_status(session);
    let found = engine.transaction_opened(session);
    let holder = engine.holder().map(|holder| {
        json!({
            "own": holder.session == session.id(),
            "session": holder.session.to_string(),
            "since": holder.since.to_string(),
            "user": holder.user,
        })
    });
    Ok(json!({
        "changed": status.changed,
        "commit_message": if status.message_required { "required" } else { "optional" },
        "head": engine.running_number().get(),
        "holder": holder,
        "meta": { "href": format!("{PREFIX}/transaction"), "parent": PREFIX },
        "mode": mode(engine.mode()),
        "open": status.open,
        "transaction": found.as_ref().map(opened),
    }))
}

async fn status(call: Call<'_>) -> Result<Answer, Refused> {
    Ok(Answer::document(&shown(&call)?))
}

async fn open(call: Call<'_>) -> Result<Answer, Refused> {
    let session = &call.caller()?.session;
    expect_lasting(&call)?;
    // A holder whose session is over must not stand in the way until it is noticed.
    call.appliance.logins.expire();
    call.appliance.engine.transaction_open(session)?;
    Ok(Answer::text(StatusCode::CREATED, shown(&call)?.to_string()))
}

/// Refuses what would be lost with the request: credentials that come with each one make a session
/// that does not outlive it.
pub(super) fn expect_lasting(call: &Call<'_>) -> Result<(), Failure> {
    let name = &call.caller()?.name;
    if call.appliance.logins.all().iter().any(|login| login.name == *name) {
        return Ok(());
    }
    let message = "A transaction needs a session: log in with POST /boxwood/v1/sessions and send \
                   its token, or let the change commit at once with commit=true";
    Err(Failure::malformed(message, ""))
}

async fn rollback(call: Call<'_>) -> Result<Answer, Refused> {
    call.appliance.engine.transaction_rollback(&call.caller()?.session)?;
    Ok(Answer::document(&shown(&call)?))
}

async fn staged(call: Call<'_>) -> Result<Answer, Refused> {
    let (engine, shows) = (&call.appliance.engine, call.appliance.shows());
    let staged = engine.transaction_changes(&call.caller()?.session);
    let entries = changes::entries(&*shows, &staged);
    let meta = json!({
        "href": format!("{PREFIX}/transaction/changes"),
        "parent": format!("{PREFIX}/transaction"),
    });
    Ok(Answer::document(&json!({ "changes": entries, "meta": meta })))
}

/// What a commit would do.
async fn plan(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller) = (call.appliance, call.caller()?);
    let (engine, session) = (Arc::clone(&appliance.engine), Arc::clone(&caller.session));
    let plan = blocking(move || engine.transaction_plan(&session)).await??;
    let shows = appliance.shows();
    let limits = &appliance.process.options.limits;
    let at = At { method: &Method::POST, path: call.path, rights: Some(&caller.rights), limits };
    let failure = plan.refusal.map(Failure::from);
    Ok(Answer::document(&json!({
        "base": plan.base.get(),
        "head": plan.head.get(),
        "changes": changes::entries(&*shows, &plan.changes),
        "commit_message": if plan.message_required { "required" } else { "optional" },
        "error": failure.as_ref().map(|failure| refusal(failure, &at, &*shows)),
        "problem": failure.as_ref().map(|failure| problem(failure, &at, appliance)),
        "meta": { "href": call.path, "transaction": shows.transaction() },
    })))
}

/// Moves the transaction onto the newest revision.
async fn rebase(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller) = (call.appliance, call.caller()?);
    let (engine, session) = (Arc::clone(&appliance.engine), Arc::clone(&caller.session));
    let base = blocking(move || engine.transaction_rebase(&session)).await?;
    let base = base?;
    Ok(Answer::document(&json!({
        "base": base.get(),
        "meta": { "href": call.path, "transaction": appliance.shows().transaction() },
    })))
}

/// Commits. Goes on when the client goes away: it belongs to the writer from here on.
async fn commit(mut call: Call<'_>) -> Result<Answer, Refused> {
    let idempotency = call.idempotency()?;
    let body = call.body.take();
    let options = CommitOptions { idempotency, ..options(body.as_ref(), "")? };
    let (appliance, session) = (call.appliance, &call.caller()?.session);
    let (started, (done, finished)) = (Instant::now(), oneshot::channel());
    appliance.engine.transaction_commit_begin(session, options, move |result| {
        // The client may have gone away.
        let _ = done.send(result);
    });
    let result = finished.await.map_err(|_| Failure::Internal)?;
    let outcome = result.as_ref().map_or_else(Into::into, |_| CommitOutcome::Committed);
    appliance.metrics.commit(outcome, started.elapsed());
    Ok(Answer::document(&committed(&result?)))
}

/// How a commit is to be made, as a body says it at a place.
pub(super) fn options(body: Option<&Value>, place: &str) -> Result<CommitOptions, Failure> {
    const FORM: &str =
        "Send {\"message\": \"…\", \"confirm_within\": SECONDS}; both may be left out";
    let mut options = CommitOptions::default();
    let Some(body) = body else { return Ok(options) };
    let members = body.as_object().ok_or_else(|| Failure::malformed(FORM, place))?;
    for (name, value) in members {
        let pointer = format!("{place}/{name}");
        match (name.as_str(), value) {
            ("message" | "confirm_within", Value::Null) => {}
            ("message", Value::String(text)) => options.message = Some(text.clone()),
            ("message", _) => {
                return Err(Failure::malformed("A commit message is a string", pointer));
            }
            ("confirm_within", seconds) => {
                let time = wait(seconds).ok_or_else(|| bad_wait("confirm_within"))?;
                options.confirm_within = Some(time);
            }
            _ => {
                return Err(Failure::malformed(
                    format!("`{name}` is unknown here. {FORM}"),
                    pointer,
                ));
            }
        }
    }
    Ok(options)
}

/// What a commit led to.
pub(super) fn committed(committed: &Committed) -> Value {
    let Committed { number, changes, confirmation } = committed;
    let confirmation = confirmation.as_ref().map(|Confirmation { token, until }| {
        json!({ "token": token.as_str(), "until": until.to_string() })
    });
    json!({
        "changes": changes,
        "confirmation": confirmation,
        "meta": { "href": format!("{PREFIX}/revisions/{number}") },
        "revision": number.get(),
    })
}

// ===== the transactions of others =====

async fn transactions(call: Call<'_>) -> Result<Answer, Refused> {
    let (engine, logins) = (&call.appliance.engine, &call.appliance.logins);
    logins.expire();
    let (all, holder) = (logins.all(), engine.holder());
    let item = |login: &Arc<crate::session::Login>| {
        let mut item = opened(&engine.transaction_opened(&login.session)?);
        let id = login.session.id();
        item["lock"] = json!(holder.as_ref().is_some_and(|holder| holder.session == id));
        item["meta"] = json!({ "href": format!("{PREFIX}/transactions/{}", login.name) });
        item["session"] = json!(&*login.name);
        item["user"] = json!(login.session.user());
        Some(item)
    };
    let items: Vec<Value> = all.iter().filter_map(item).collect();
    let meta = json!({ "href": format!("{PREFIX}/transactions"), "parent": PREFIX });
    Ok(Answer::document(&json!({ "items": items, "meta": meta })))
}

async fn end(call: Call<'_>) -> Result<Answer, Refused> {
    let (engine, logins) = (&call.appliance.engine, call.appliance.logins.all());
    let found = logins.iter().find(|login| *login.name == *call.step("session"));
    let login = found.filter(|login| engine.transaction_opened(&login.session).is_some());
    let login = login.ok_or(Failure::NotFound(Place::Request))?;
    engine.transaction_rollback(&login.session)?;
    let (by, user) = (call.caller()?.session.user(), login.session.user());
    tracing::info!(user, session = %login.session.id(), by, "transaction rolled back");
    let meta = json!({ "parent": format!("{PREFIX}/transactions") });
    Ok(Answer::document(&json!({ "meta": meta })))
}

// ===== confirmation =====

/// What awaits its confirmation.
async fn confirmation(call: Call<'_>) -> Result<Answer, Refused> {
    let awaiting =
        call.appliance.engine.confirmation().map(
            |(revision, until)| json!({ "revision": revision.get(), "until": until.to_string() }),
        );
    Ok(Answer::document(&json!({
        "awaiting": awaiting,
        "meta": { "href": "/boxwood/v1/confirmation", "parent": "/boxwood/v1" },
    })))
}

/// Confirms.
async fn confirm(mut call: Call<'_>) -> Result<Answer, Refused> {
    let [token] = texts(&call.needed()?, ["token"])?;
    let engine = Arc::clone(&call.appliance.engine);
    let revision = blocking(move || engine.commit_confirm(&token)).await??;
    Ok(Answer::document(&json!({ "confirmed": revision.get() })))
}

/// Gives more time.
async fn extend(mut call: Call<'_>) -> Result<Answer, Refused> {
    let mut body = call.needed()?;
    let seconds = body.as_object_mut().and_then(|members| members.remove("seconds"));
    let by = seconds.as_ref().and_then(wait).ok_or_else(|| bad_wait("seconds"))?;
    let (engine, [token]) = (Arc::clone(&call.appliance.engine), texts(&body, ["token"])?);
    let until = blocking(move || engine.commit_extend(&token, by)).await??;
    Ok(Answer::document(&json!({ "until": until.to_string() })))
}

/// Undoes at once.
async fn cancel(mut call: Call<'_>) -> Result<Answer, Refused> {
    let [token] = texts(&call.needed()?, ["token"])?;
    let engine = Arc::clone(&call.appliance.engine);
    let revision = blocking(move || engine.commit_cancel(&token)).await??;
    Ok(Answer::document(&json!({ "undone_by": revision.get() })))
}

/// The members of a body, all of them texts, and no others.
fn texts<const N: usize>(body: &Value, names: [&str; N]) -> Result<[String; N], Failure> {
    let form = || {
        let form = names.map(|name| format!("\"{name}\": \"…\"")).join(", ");
        Failure::malformed(format!("Send {{{form}}}"), "")
    };
    let members = body.as_object().filter(|members| members.len() == N).ok_or_else(form)?;
    let text = |name| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let found: Option<Vec<String>> = names.iter().map(|name| text(*name)).collect();
    found.and_then(|found| found.try_into().ok()).ok_or_else(form)
}
