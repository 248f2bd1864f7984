//! `/boxwood/v1/sessions`: a name and a password for a token, who is logged in, and ending a session
//! with its transaction and lock.

use std::sync::Arc;

use hyper::{StatusCode, header};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::call::{Call, Refused};
use super::route::{Operation, PREFIX, Who, answer, ok, run};
use super::transaction::opened;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::credentials::{Credentials, basic};
use crate::failure::{Failure, Place};
use crate::json::wipe;
use crate::methods::Methods;
use crate::metrics::LoginOutcome;
use crate::session::Login;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::POST, "sessions", "session_open", Who::Anybody, run!(open))
        .does(
            "Log in",
            "Takes the name and the password of the operator, or of a user of the appliance, by HTTP \
             Basic or in the body. The token of the answer is shown once; send it as \
             `Authorization: Bearer TOKEN`.",
        )
        .may_take("Credentials")
        .answers(&[answer(201, "NewSession", "The session and its token.")])
        .refuses(&[400, 503]),
    Operation::new(Methods::GET, "sessions", "sessions", Who::Users, run!(list))
        .does("List sessions", "All sessions of the appliance; users see their own.")
        .answers(&[ok("Sessions", "The sessions.")]),
    Operation::new(Methods::GET, "sessions/{session}", "session", Who::Users, run!(show))
        .does("Read a session", "Whose it is, and what is open in it.")
        .answers(&[ok("Session", "The session.")])
        .refuses(&[404]),
    Operation::new(Methods::DELETE, "sessions/{session}", "session_end", Who::Users, run!(end))
        .does(
            "End a session",
            "Rolls its transaction back and releases its lock. Administrators end any session, users \
             their own.",
        )
        .answers(&[ok("Done", "It has ended.")])
        .refuses(&[404]),
    Operation::new(Methods::GET, "session", "whoami", Who::Users, run!(whoami))
        .does("Say who is logged in", "The caller's own session.")
        .answers(&[ok("Session", "The session.")]),
    Operation::new(Methods::DELETE, "session", "session_end_own", Who::Users, run!(end_own))
        .does("Log out", "Ends the caller's session with its transaction and lock.")
        .answers(&[ok("Done", "It has ended.")]),
];

// ===== logging in =====

async fn open(mut call: Call<'_>) -> Result<Answer, Refused> {
    let appliance = call.appliance;
    let credentials = credentials(&mut call)?;
    let address = call.request.peer.address().ip();
    let find = |given: &Credentials| appliance.dialect.account(appliance, given);
    let Some(account) = appliance.verify(address, &credentials, find).await? else {
        appliance.metrics.login(LoginOutcome::Refused);
        return Err(Failure::CredentialsWrong.into());
    };
    let opened = appliance.logins.open(&credentials.user, account);
    let (login, token) = opened.map_err(|_| Failure::SessionsFull)?;
    appliance.metrics.login(LoginOutcome::Granted);
    let (user, session) = (&credentials.user, login.session.id());
    tracing::info!(%user, %session, "session opened");
    let mut shown = shown(appliance, &login, true);
    shown["token"] = json!(token.as_str());
    let text = Zeroizing::new(shown.to_string());
    wipe(&mut shown);
    let answer = Answer::text(StatusCode::CREATED, text.as_bytes().to_vec());
    Ok(answer.header_text(header::LOCATION, &format!("{PREFIX}/sessions/{session}")))
}

// By Basic, otherwise from the body.
fn credentials(call: &mut Call<'_>) -> Result<Credentials, Failure> {
    let header = call.head.headers.get(header::AUTHORIZATION);
    if let Some(header) = header {
        return basic(header.as_bytes()).ok_or(Failure::CredentialsMissing);
    }
    let mut body = call.body.take().ok_or(Failure::CredentialsMissing)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let is_alone = body.as_object().is_some_and(|members| members.len() == 2);
    let given = text("user").zip(text("password")).filter(|_| is_alone);
    let given = given.map(|(user, password)| Credentials {
        user: user.to_owned(),
        password: Zeroizing::new(password.to_owned()),
    });
    wipe(&mut body);
    given.ok_or_else(|| {
        Failure::malformed("Send {\"user\": \"…\", \"password\": \"…\"}, or HTTP Basic", "")
    })
}

// ===== looking after sessions =====

async fn list(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller) = (call.appliance, call.caller()?);
    appliance.logins.expire();
    let is_seen =
        |login: &Arc<Login>| caller.rights.is_all() || login.session.id() == caller.session.id();
    let all = appliance.logins.all();
    let seen = all.iter().filter(|login| is_seen(login));
    let items = seen.map(|login| shown(appliance, login, login.name == caller.name));
    let items: Vec<Value> = items.collect();
    let meta = json!({ "href": format!("{PREFIX}/sessions"), "parent": PREFIX });
    Ok(Answer::document(&json!({ "items": items, "meta": meta })))
}

async fn show(call: Call<'_>) -> Result<Answer, Refused> {
    let login = named(&call)?;
    let is_own = login.name == call.caller()?.name;
    Ok(Answer::document(&shown(call.appliance, &login, is_own)))
}

async fn end(call: Call<'_>) -> Result<Answer, Refused> {
    let login = named(&call)?;
    let by = call.caller()?.session.user();
    tracing::info!(user = login.session.user(), session = %login.session.id(), by, "session ended");
    call.appliance.logins.end(&login);
    let meta = json!({ "parent": format!("{PREFIX}/sessions") });
    Ok(Answer::document(&json!({ "meta": meta })))
}

// The session that the path names, if the caller may know of it.
fn named(call: &Call<'_>) -> Result<Arc<Login>, Failure> {
    let (caller, name) = (call.caller()?, call.step("session"));
    call.appliance.logins.expire();
    let mut all = call.appliance.logins.all();
    all.retain(|login| *login.name == *name);
    all.retain(|login| caller.rights.is_all() || login.session.id() == caller.session.id());
    all.pop().ok_or(Failure::NotFound(Place::Request))
}

async fn whoami(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller) = (call.appliance, call.caller()?);
    let own = appliance.logins.all().into_iter().find(|login| login.name == caller.name);
    let document = match own {
        Some(login) => shown(appliance, &login, true),
        // Credentials with each request: nothing outlives it.
        None => json!({
            "administrator": caller.rights.is_all(),
            "current": true,
            "groups": [],
            "lock": false,
            "meta": { "href": format!("{PREFIX}/session") },
            "session": null,
            "transaction": null,
            "user": caller.session.user(),
            "writes": caller.rights.allow_changes(),
        }),
    };
    Ok(Answer::document(&document))
}

async fn end_own(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller) = (call.appliance, call.caller()?);
    let all = appliance.logins.all();
    if let Some(login) = all.iter().find(|login| login.name == caller.name) {
        tracing::info!(user = login.session.user(), session = %login.session.id(), "session ended");
        appliance.logins.end(login);
    }
    Ok(Answer::document(&json!({ "meta": { "parent": PREFIX } })))
}

fn shown(appliance: &Appliance, login: &Login, is_current: bool) -> Value {
    let session = &login.session;
    let holder = appliance.engine.holder();
    let standing = login.standing();
    json!({
        "administrator": standing.rights.is_all(),
        "current": is_current,
        "expires": appliance.logins.expires(login).to_string(),
        "groups": standing.groups,
        "lock": holder.is_some_and(|holder| holder.session == session.id()),
        "meta": { "href": format!("{PREFIX}/sessions/{}", login.name) },
        "opened": login.opened.to_string(),
        "session": &*login.name,
        "transaction": appliance.engine.transaction_opened(session).as_ref().map(opened),
        "used": login.used().to_string(),
        "user": session.user(),
        "writes": standing.rights.allow_changes(),
    })
}
