//! Boxwood's own API, under `/boxwood/v1/`, where no emulated path can collide with it.
//!
//! A request passes the same guards whatever it asks for, in this order: the path names rows of
//! [`route`]; who asks; what they may; the method; the body; the verb.

mod about;
mod acting;
mod blame;
mod call;
mod changes;
mod clients;
mod dress;
mod edit;
mod edits;
mod heads;
mod history;
mod nodes;
mod openapi;
mod problem;
mod references;
pub(crate) mod route;
mod schemas;
mod sealed_body;
mod selection;
mod sessions;
mod transaction;
mod transfer;
mod watch;
pub(crate) mod worlds;

use std::sync::Arc;

use hyper::Method;
use hyper::header;
use serde_json::json;

use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Caller;
use crate::credentials::{basic, bearer};
use crate::failure::{At, Failure, Place};
use crate::http_path::{canonical, parent_href};
use crate::methods::Methods;
use crate::outcome::{Dressed, Outcome};
use crate::request;
use crate::transport::{Request, RequestBody};

use call::{Call, Refused};
use route::{Found, Operation, Takes, Who};

/// A refusal of a request that is malformed before anything is looked up.
pub(crate) fn dressed(failure: Failure, at: &At<'_>, appliance: &Appliance) -> Dressed {
    dress::dress(&failure.into(), at, appliance)
}

/// The OpenAPI document of Boxwood's own API.
#[must_use]
pub fn openapi() -> serde_json::Value {
    openapi::document()
}

/// Answers a request whose path begins with `/boxwood`.
pub(crate) async fn handle(appliance: &Appliance, request: &Request, body: RequestBody) -> Outcome {
    let head = &request.head;
    let path = canonical(head.uri.path());
    let mut caller = None;
    let found = route::find(head.uri.path());
    let row =
        found.as_ref().and_then(|found| found.row(&head.method).or(found.rows.first().copied()));
    let result = match found {
        None => Err(Failure::NotFound(Place::Request).into()),
        Some(found) => guarded(appliance, request, &path, found, body, &mut caller).await,
    };
    let rights = caller.as_ref().map(|caller: &Caller| &caller.rights);
    let limits = &appliance.process.options.limits;
    let at = At { method: &head.method, path: &path, rights, limits };
    let session = caller.as_ref().map(|caller| Arc::clone(&caller.name));
    let dressed = result.map_err(|refused| dress::dress(&refused, &at, appliance));
    Outcome::new(row.map_or("unknown", |row| row.verb), session, dressed)
}

// Takes a request through the guards to its verb.
async fn guarded(
    appliance: &Appliance,
    request: &Request,
    path: &str,
    found: Found,
    body: RequestBody,
    caller: &mut Option<Caller>,
) -> Result<Answer, Refused> {
    let (head, allow) = (&request.head, found.allow());
    let row = found.row(&head.method);
    // Where the method is wrong, the other rows of the path say who may know.
    let rows: &[&'static Operation] = row.as_slice();
    let rows = if rows.is_empty() { &found.rows } else { rows };
    if !rows.iter().any(|row| row.who == Who::Anybody) {
        *caller = Some(identified(appliance, request).await?);
    }
    let rights = caller.as_ref().map(|caller| &caller.rights);
    if !rows.iter().any(|row| row.who.admits(rights)) {
        return Err(Failure::Forbidden(Place::Request).into());
    }
    if head.method == Method::OPTIONS {
        return Ok(options(path, allow));
    }
    let operation = row.ok_or(Failure::MethodNotAllowed(allow))?;
    let (stream, body) = match operation.takes {
        Takes::Stream { .. } => (Some(body), None),
        _ => {
            let limits = &appliance.process.options.limits;
            (None, request::json(limits, &head.headers, body).await?)
        }
    };
    let caller = caller.as_ref();
    let steps = found.steps;
    let call = Call { appliance, request, head, path, operation, steps, caller, body, stream };
    Ok((operation.run)(call).await?.allow(allow))
}

fn options(path: &str, allow: Methods) -> Answer {
    let meta = json!({ "href": path, "parent": parent_href(path) });
    Answer::document(&json!({ "meta": meta })).allow(allow)
}

/// Who asks: by a token of this API, by the appliance's own credentials, or the operator by Basic
/// where the appliance's requests carry none.
async fn identified(appliance: &Appliance, request: &Request) -> Result<Caller, Failure> {
    let header = request.head.headers.get(header::AUTHORIZATION);
    let token = header.and_then(|value| bearer(value.as_bytes()));
    if let Some(login) = token.and_then(|token| appliance.logins.find(token)) {
        return Ok(login.caller());
    }
    if let Some(caller) = appliance.dialect.caller(appliance, request).await? {
        return Ok(caller);
    }
    let credentials = header.and_then(|value| basic(value.as_bytes()));
    let credentials = credentials.ok_or(Failure::Unauthenticated)?;
    let address = request.peer.address().ip();
    if !appliance.verify_administrator(address, &credentials).await? {
        return Err(Failure::CredentialsWrong);
    }
    Ok(Caller::administrator(appliance.engine.session_open(&credentials.user)))
}

/// Does what waits for the store, or takes long, on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::Internal)
}
