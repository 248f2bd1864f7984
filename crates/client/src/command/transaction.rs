//! The transaction of the session, from its opening to its commit.

use std::io::Write;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Here;
use crate::connection::Ask;
use crate::context::Contexts;
use crate::error::{AskError, described};
use crate::output::cell;

/// How often a commit that got no answer is asked for again.
const ATTEMPTS: usize = 3;

pub(super) fn open(here: &Here<'_>) -> Result<(), AskError> {
    let opened = here.connection.post("transaction", &json!({}))?;
    here.out.answer(&opened, |_, opened| {
        format!("a transaction is open on revision {}\n", opened["transaction"]["base"])
    })
}

pub(super) fn discard(here: &Here<'_>) -> Result<(), AskError> {
    let closed = here.connection.delete("transaction")?;
    here.out.answer(&closed, |_, _| "nothing is staged\n".to_owned())
}

pub(super) fn show(here: &Here<'_>) -> Result<(), AskError> {
    let staged = here.connection.get("transaction/changes")?;
    here.out.answer(&staged, |out, staged| match out.changes(&staged["changes"]) {
        empty if empty.is_empty() => "nothing is staged\n".to_owned(),
        changes => changes,
    })
}

pub(super) fn validate(here: &Here<'_>) -> Result<(), AskError> {
    let plan = here.connection.post("transaction/plan", &json!({}))?;
    here.out.answer(&plan, |_, plan| match &plan["problem"] {
        Value::Null => {
            let count = plan["changes"].as_array().map_or(0, Vec::len);
            format!("{count} changes could be committed after revision {}\n", plan["head"])
        }
        problem => format!("{}\n", described(problem, None)),
    })?;
    if plan["problem"].is_null() { Ok(()) } else { Err(AskError::Invalid) }
}

pub(super) fn commit(
    here: &Here<'_>,
    message: Option<&str>,
    minutes: Option<u64>,
    key: Option<&str>,
) -> Result<(), AskError> {
    let seconds = minutes.map(|minutes| minutes.saturating_mul(60));
    let body = json!({ "message": message, "confirm_within": seconds });
    let key = key.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let ask = Ask {
        method: "POST",
        path: "transaction/commit".to_owned(),
        headers: vec![("Idempotency-Key", key.clone())],
        body: Some(&body),
    };
    let mut committed = here.connection.ask(&ask);
    // A commit whose answer got lost is asked for again under its key: done once in any case.
    for _ in 1..ATTEMPTS {
        if !matches!(committed, Err(AskError::Unanswered { .. })) {
            break;
        }
        committed = here.connection.ask(&ask);
    }
    if let Err(AskError::Unanswered { .. }) = committed {
        let mut error = std::io::stderr().lock();
        let _ = writeln!(
            error,
            "boxwood: whether the commit was made is not known; ask again with the same options and \
             --key {key}"
        );
    }
    let committed = committed?;
    remember(here, committed["confirmation"]["token"].as_str())?;
    here.out.answer(&committed, |_, committed| {
        let mut text = match committed["changes"].as_u64() {
            Some(0) => format!("nothing to commit; revision {}\n", committed["revision"]),
            count => {
                format!("revision {}: {} changes\n", committed["revision"], count.unwrap_or(0))
            }
        };
        if let Some(until) = committed["confirmation"]["until"].as_str() {
            text.push_str(&format!("confirm it with `boxwood confirm` before {until}\n"));
        }
        text
    })
}

// The token of a commit that awaits its confirmation, for the command that confirms it.
fn remember(here: &Here<'_>, token: Option<&str>) -> Result<(), AskError> {
    let mut contexts = Contexts::read(here.environment)?;
    let name = contexts.chosen(here.connect, here.environment);
    if let Some(context) = contexts.contexts.get_mut(&name)
        && context.confirmation.as_deref() != token
    {
        context.confirmation = token.map(str::to_owned);
        contexts.write()?;
    }
    Ok(())
}

pub(super) fn confirm(
    here: &Here<'_>,
    cancel: bool,
    extend: Option<u64>,
    token: Option<&str>,
) -> Result<(), AskError> {
    let token = token.or(here.connection.context.confirmation.as_deref());
    let token = token.ok_or_else(|| {
        let message = "no commit of this context awaits its confirmation; name one with --token";
        AskError::Usage(message.to_owned())
    })?;
    let mut body = json!({ "token": token });
    let (verb, text): (_, fn(&Value) -> String) = match extend {
        Some(minutes) => {
            body["seconds"] = json!(minutes.saturating_mul(60));
            ("extend", |answer| {
                format!("awaits its confirmation until {}\n", cell(&answer["until"]))
            })
        }
        None if cancel => {
            ("cancel", |answer| format!("undone by revision {}\n", answer["undone_by"]))
        }
        None => ("confirm", |answer| format!("revision {} is confirmed\n", answer["confirmed"])),
    };
    let answer = here.connection.post(format!("confirmation/{verb}"), &body)?;
    if extend.is_none() {
        remember(here, None)?;
    }
    here.out.answer(&answer, |_, answer| text(answer))
}

pub(super) fn rollback(here: &Here<'_>, revision: Option<u64>) -> Result<(), AskError> {
    let revision = match revision {
        Some(revision) => revision,
        None => {
            let running = here.connection.get("")?["revision"].as_u64().unwrap_or(0);
            running.checked_sub(1).ok_or_else(|| {
                AskError::Usage("there is no revision before the running one".to_owned())
            })?
        }
    };
    // What stages changes needs an open transaction, which in exclusive mode takes the lock.
    here.connection.post("transaction", &json!({}))?;
    let staged = here.connection.post(format!("revisions/{revision}/restore"), &json!({}))?;
    here.out.answer(&staged, |out, staged| {
        let changes = out.changes(&staged["changes"]);
        format!(
            "{changes}the way back to revision {revision} is staged; `boxwood commit` takes it\n"
        )
    })
}
