//! Changing `/boxwood/v1/nodes/…`, and many edits at once: staged in the caller's transaction, or
//! committed at once where the request says so.

use std::sync::Arc;

use hyper::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;
use transaction_engine::{CommitOptions, Committed, Edit as Staging, Engine, Mode, Session};

use super::call::{Call, Refused};
use super::edit::{Does, Done, Edit, keys, shows};
use super::nodes::{NodeView, Reading, Seen, order_shown, staged};
use super::route::{IF_MATCH, Operation, PREFIX, Parameter, Takes, Who, answer, ok, query, run};
use super::transaction::{committed, expect_lasting, opened, options};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Rights;
use crate::failure::{Failure, Place};
use crate::methods::Methods;
use crate::metrics::CommitOutcome;
use crate::query::Query;

pub(super) const COMMIT: Parameter = query(
    "commit",
    "boolean",
    "`true`: commit at once. Otherwise the change is staged in the caller's transaction.",
);
pub(super) const MESSAGE: Parameter =
    query("message", "string", "Why, for the history, with commit=true.");
pub(super) const HEAD: Parameter = query(
    "head",
    "string",
    "Change another head of the appliance, such as `candidate`, with commit=true; administrators.",
);

const WRITING: &[Parameter] = &[IF_MATCH, COMMIT, MESSAGE, HEAD];
const CHANGED: &[u16] = &[400, 403, 404, 409, 412, 503];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::PUT, "nodes/{path}", "node_put", Who::Writers, run!(node))
        .does(
            "Replace a body",
            "A member that is not there is made, where clients choose keys. A secret that the body \
             leaves out stays as it was.",
        )
        .with(WRITING)
        .takes("Body")
        .answers(&[
            ok("Node", "The node as it is now."),
            answer(201, "Node", "The member that was made."),
        ])
        .refuses(CHANGED),
    Operation::new(Methods::PATCH, "nodes/{path}", "node_patch", Who::Writers, run!(node))
        .does(
            "Change a body",
            "By a JSON Merge Patch (also as application/json) or a JSON Patch. Secrets stay as they \
             are unless the patch sets them.",
        )
        .with(WRITING)
        .takes_as(Takes::Either(&[
            ("application/merge-patch+json", "Body"),
            ("application/json-patch+json", "JsonPatch"),
        ]))
        .answers(&[ok("Node", "The node as it is now.")])
        .refuses(CHANGED),
    Operation::new(Methods::POST, "nodes/{path}", "node_create", Who::Writers, run!(node))
        .does("Add a member or an element", "To a collection, or to a value that is a list.")
        .with(&[
            IF_MATCH,
            COMMIT,
            MESSAGE,
            HEAD,
            query("key", "string", "The key of the member, where clients choose keys."),
        ])
        .takes("Body")
        .answers(&[
            answer(201, "Node", "The member, or the list with its new element."),
        ])
        .refuses(CHANGED),
    Operation::new(Methods::DELETE, "nodes/{path}", "node_delete", Who::Writers, run!(node))
        .does("Delete a member", "Nodes that refer to it stand in the way, or follow.")
        .with(WRITING)
        .answers(&[ok("Edited", "It is gone.")])
        .refuses(CHANGED),
    Operation::new(Methods::POST, "edits", "edits", Who::Writers, run!(edits))
        .does(
            "Make several edits",
            "All of them or none: staged in the caller's transaction, or committed at once with \
             `commit`. Each edit sees those before it; each that is refused is in `errors`.",
        )
        .with(&[HEAD])
        .takes("Edits")
        .answers(&[ok("Edited", "What each edit has done.")])
        .refuses(CHANGED),
];

/// Where a change goes.
struct Target {
    /// `None`: it is staged.
    commit: Option<CommitOptions>,
    /// The head it goes to; the running one is the appliance's engine.
    head: Arc<Engine>,
    is_running: bool,
}

/// What has become of edits.
struct Outcome {
    done: Vec<Done>,
    committed: Option<Committed>,
}

// ===== requests =====

async fn node(mut call: Call<'_>) -> Result<Answer, Refused> {
    let (query, path) = (call.query()?, call.node()?);
    let target = Target::of_query(&call, &query)?;
    let does = match call.head.method {
        Method::PUT => Does::Put(call.needed()?),
        Method::POST => Does::Create(query.get("key").map(str::to_owned), call.needed()?),
        Method::PATCH if is_json_patch(&call) => Does::Patch(call.needed()?),
        Method::PATCH => Does::Merge(call.needed()?),
        _ => Does::Delete,
    };
    let edit = Edit::new(path, does, &call.head.headers);
    let outcome = perform(&call, &target, vec![edit], false).await?;
    let Some(done) = outcome.done.first().filter(|done| done.effect != "deleted") else {
        return Ok(Answer::document(&edited(&call, &outcome)?));
    };
    let created = done.effect == "created" || call.head.method == Method::POST;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let seen = target.seen(&call, &outcome)?;
    let rights = &call.caller()?.rights;
    let (mut document, tag) = NodeView::new(call.appliance, rights, &seen.tree)
        .document(&done.path, &Reading::alone())?;
    document["committed"] = json!(outcome.committed.as_ref().map(committed));
    document["revision"] = json!(seen.revision.get());
    let mut answer = Answer::text(status, document.to_string());
    if done.effect == "created" {
        answer = answer.header_text(header::LOCATION, &super::nodes::href(&done.path));
    }
    Ok(match tag {
        Some(tag) => answer.tagged(tag.value()),
        None => answer,
    })
}

fn is_json_patch(call: &Call<'_>) -> bool {
    let kind = call.head.headers.get(header::CONTENT_TYPE);
    let essence = kind.and_then(|kind| kind.to_str().ok()?.split(';').next());
    essence.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json-patch+json"))
}

/// Puts a collection in another order.
pub(super) async fn order_put(mut call: Call<'_>) -> Result<Answer, Refused> {
    let (query, path, body) = (call.query()?, call.node()?, call.needed()?);
    let target = Target::of_query(&call, &query)?;
    let list = if body.is_object() { &body["keys"] } else { &body };
    let does = Does::Order(keys(list, "/keys")?);
    let edit = Edit::new(path.clone(), does, &call.head.headers);
    let outcome = perform(&call, &target, vec![edit], false).await?;
    let seen = target.seen(&call, &outcome)?;
    Ok(order_shown(call.appliance, &seen.tree, &path)?)
}

async fn edits(mut call: Call<'_>) -> Result<Answer, Refused> {
    const FORM: &str = "Send {\"edits\": [{\"op\": \"…\", \"path\": \"…\"}], \"commit\": {…}}; \
                        `commit` may be left out";
    let query = call.query()?;
    let Value::Object(mut members) = call.needed()? else {
        return Err(Failure::malformed(FORM, "").into());
    };
    let list = members.remove("edits");
    let commit = match members.remove("commit") {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(CommitOptions::default()),
        Some(given) => Some(options(Some(&given), "/commit")?),
    };
    if let Some(name) = members.keys().next() {
        let message = format!("`{name}` is unknown here. {FORM}");
        return Err(Failure::malformed(message, format!("/{name}")).into());
    }
    let Some(Value::Array(list)) = list else {
        return Err(Failure::malformed(FORM, "/edits").into());
    };
    let (mut edits, mut refused) = (Vec::new(), Vec::new());
    for (place, edit) in list.into_iter().enumerate() {
        match Edit::read(edit, &format!("/edits/{place}")) {
            Ok(edit) => edits.push(edit),
            Err(failure) => refused.push((place, failure)),
        }
    }
    if !refused.is_empty() {
        return Err(Refused::Edits(refused));
    }
    let target = Target::new(&call, commit, query.get("head"))?;
    let outcome = perform(&call, &target, edits, true).await?;
    Ok(Answer::document(&edited(&call, &outcome)?))
}

fn edited(call: &Call<'_>, outcome: &Outcome) -> Result<Value, Failure> {
    let result = |done: &Done| json!({ "effect": done.effect, "op": done.op, "path": done.path.to_string() });
    let engine = &call.appliance.engine;
    let open = engine.transaction_opened(&call.caller()?.session);
    Ok(json!({
        "committed": outcome.committed.as_ref().map(committed),
        "meta": { "href": call.path, "parent": PREFIX },
        "results": outcome.done.iter().map(result).collect::<Vec<_>>(),
        "transaction": open.as_ref().map(opened),
    }))
}

// ===== where changes go =====

impl Target {
    fn of_query(call: &Call<'_>, query: &Query<'_>) -> Result<Self, Failure> {
        let message = query.get("message").map(str::to_owned);
        let commit = match query.get("commit") {
            None | Some("false") => None,
            Some("true" | "") => Some(CommitOptions { message, ..CommitOptions::default() }),
            Some(_) => return Err(Failure::malformed("`commit` must be true or false", "")),
        };
        Self::new(call, commit, query.get("head"))
    }

    fn new(
        call: &Call<'_>,
        commit: Option<CommitOptions>,
        head_name: Option<&str>,
    ) -> Result<Self, Failure> {
        let (appliance, caller) = (call.appliance, call.caller()?);
        let is_running = head_name.is_none_or(|name| name == "running");
        let head = match head_name.filter(|_| !is_running) {
            None => Arc::clone(&appliance.engine),
            Some(_) if !caller.rights.is_all() => return Err(Failure::Forbidden(Place::Request)),
            Some(_) if commit.is_none() => {
                let message = "Nothing is staged on another head: send commit=true";
                return Err(Failure::malformed(message, ""));
            }
            Some(name) => head(appliance, name)?,
        };
        if commit.is_none() {
            expect_lasting(call)?;
        } else if is_running && appliance.engine.transaction_status(&caller.session).open {
            let message = "A transaction is open in this session: leave commit out and commit that \
                           one, or roll it back first";
            return Err(Failure::malformed(message, ""));
        }
        Ok(Self { commit, head, is_running })
    }

    // What the caller sees after the change.
    fn seen(&self, call: &Call<'_>, outcome: &Outcome) -> Result<Seen, Failure> {
        if outcome.committed.is_none() {
            return Ok(staged(call.appliance, call.caller()?));
        }
        let running = self.head.running();
        Ok(Seen { tree: running.tree.clone(), revision: running.number })
    }
}

/// A head of the appliance, by its name.
pub(super) fn head(appliance: &Appliance, name: &str) -> Result<Arc<Engine>, Failure> {
    let found = appliance.heads().iter().find(|head| head.name == name);
    let known: Vec<&str> = appliance.heads().iter().map(|head| head.name).collect();
    let known = [&["running"], known.as_slice()].concat().join(", ");
    let message = format!("`head` must be one of {known}");
    found.map(|head| Arc::clone(&head.engine)).ok_or_else(|| Failure::malformed(message, ""))
}

// ===== making edits =====

async fn perform(
    call: &Call<'_>,
    target: &Target,
    edits: Vec<Edit>,
    many: bool,
) -> Result<Outcome, Refused> {
    let (appliance, caller) = (call.appliance, call.caller()?);
    let work = Work::new(appliance, &caller.rights, edits, many);
    let Some(options) = target.commit.clone() else {
        // A holder whose session is over must not stand in the way until it is noticed.
        appliance.logins.expire();
        let change = |staging: &mut Staging<'_>| work.make(staging);
        let (done, _) = appliance.engine.transaction_edit(&caller.session, change)?;
        return Ok(Outcome { done, committed: None });
    };
    let (started, user) = (Instant::now(), caller.session.user());
    let result = if target.is_running && target.head.mode() == Mode::Exclusive {
        in_one_transaction(&target.head, user, options, &work).await
    } else {
        autocommitted(&target.head, user, options, work).await
    };
    let outcome = match &result {
        Ok(_) => CommitOutcome::Committed,
        Err(Refused::Once(failure)) => match &**failure {
            Failure::Engine(error) => error.into(),
            _ => CommitOutcome::Rejected,
        },
        Err(Refused::Edits(_)) => CommitOutcome::Rejected,
    };
    appliance.metrics.commit(outcome, started.elapsed());
    let (done, committed) = result?;
    Ok(Outcome { done, committed: Some(committed) })
}

async fn autocommitted(
    head: &Arc<Engine>,
    user: &str,
    options: CommitOptions,
    work: Work,
) -> Result<(Vec<Done>, Committed), Refused> {
    let (answer, answered) = oneshot::channel();
    let change = move |staging: &mut Staging<'_>| work.make(staging);
    head.autocommit_begin(user, options, change, move |result| {
        // The client may have gone away.
        let _ = answer.send(result);
    });
    answered.await.map_err(|_| Failure::Internal)?
}

/// A session for one request; it ends with the value, its lock released.
struct Brief<'a>(&'a Engine, Arc<Session>);

impl Drop for Brief<'_> {
    fn drop(&mut self) {
        self.0.session_end(&self.1);
    }
}

// Where one session at a time may change the configuration, a request is one of them.
async fn in_one_transaction(
    engine: &Engine,
    user: &str,
    options: CommitOptions,
    work: &Work,
) -> Result<(Vec<Done>, Committed), Refused> {
    let session = Brief(engine, engine.session_open(user));
    engine.transaction_open(&session.1)?;
    let (done, _) = engine.transaction_edit(&session.1, |staging| work.make(staging))?;
    let (answer, answered) = oneshot::channel();
    engine.transaction_commit_begin(&session.1, options, move |result| {
        let _ = answer.send(result);
    });
    let committed = answered.await.map_err(|_| Failure::Internal)?;
    Ok((done, committed?))
}

/// Edits with all that is needed to make them, as often as it takes.
struct Work {
    edits: Vec<Edit>,
    many: bool,
    rights: Rights,
    engine: Arc<Engine>,
}

impl Work {
    fn new(appliance: &Appliance, rights: &Rights, edits: Vec<Edit>, many: bool) -> Self {
        Self { edits, many, rights: rights.clone(), engine: Arc::clone(&appliance.engine) }
    }

    fn make(&self, staging: &mut Staging<'_>) -> Result<Vec<Done>, Refused> {
        let (running, shows) = (self.engine.running(), shows(self.engine.catalog()));
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for (place, edit) in self.edits.iter().enumerate() {
            match edit.make(staging, &running.tree, &self.rights, &shows) {
                Ok(one) => done.push(one),
                Err(failure) if self.many => refused.push((place, failure)),
                Err(failure) => return Err(failure.into()),
            }
        }
        if refused.is_empty() { Ok(done) } else { Err(Refused::Edits(refused)) }
    }
}
