//! Jobs: pushes that were asked for, each a parent with a child for each folder.
//!
//! They are nodes of the candidate, so they outlive a restart. A job is done when its time has come
//! and somebody looks: first the commit on the running head, which holds the version with the
//! job's number, then the job's end on the candidate. After a crash in between, the next look
//! finds the version, and ends the job without pushing again.

use std::collections::HashMap;
use std::sync::Arc;

use config_tree::{Body, NodePath, Tree};
use hyper::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use transaction_engine::{Edit, Error as EngineError, RevisionNumber, Timestamp};

use super::access::Actor;
use super::container::Asked;
use super::push::{self, Pushed, Scope};
use super::refusal::Refusal;
use super::versions::NewVersion;
use super::{Prisma, container, route, times};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::failure::Failure;

/// How many parents are kept, with their children.
const KEPT: usize = 500;

/// The longest description, in characters.
const MOST_DESCRIPTION: usize = 255;

/// What only this process knows of jobs.
#[derive(Default)]
pub(super) struct Progress {
    /// How many times each unfinished job was asked for.
    polls: Mutex<HashMap<u64, u32>>,
    /// Held while jobs are done: one after the other.
    doing: tokio::sync::Mutex<()>,
}

/// A job as the tree has it.
struct Job {
    number: u64,
    body: Value,
}

impl Job {
    fn is_active(&self) -> bool {
        self.body["state"] == "active"
    }

    fn parent(&self) -> u64 {
        self.body["parent"].as_u64().unwrap_or(0)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let list = self.body[name].as_array().into_iter().flatten();
        list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    }

    fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }

    fn path(&self) -> Option<NodePath> {
        path_of(self.number)
    }
}

fn path_of(number: u64) -> Option<NodePath> {
    let key = config_tree::Key::parse(&number.to_string()).ok()?;
    Some(route::jobs().join(&key))
}

/// All jobs, in the order in which they were asked for.
fn all(tree: &Tree) -> impl Iterator<Item = Job> {
    let job = |(key, body): (&config_tree::Key, &Body)| {
        Some(Job { number: key.as_str().parse().ok()?, body: body.value() })
    };
    tree.members(route::jobs()).filter_map(job)
}

/// What the body of a push says.
struct Order {
    scope: Scope,
    description: String,
}

impl Order {
    fn read(body: &Value, tenant: &str) -> Result<Self, Failure> {
        let texts = |name: &str| -> Result<Option<Vec<String>>, Failure> {
            let wrong = || Failure::malformed("must be a list of texts", format!("/{name}"));
            let Some(list) = body.get(name) else { return Ok(None) };
            let list = list.as_array().ok_or_else(wrong)?;
            let texts = list.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map(Some).ok_or_else(wrong)
        };
        if !body.is_object() {
            return Err(Failure::malformed("the body must be an object", ""));
        }
        let folders = texts("folders")?.filter(|folders| !folders.is_empty());
        let folders = folders.ok_or_else(|| Failure::malformed("is required", "/folders"))?;
        if !folders.iter().all(|folder| container::is_name(folder)) {
            return Err(Failure::malformed("must be names of folders", "/folders"));
        }
        let authors = texts("admin")?.filter(|authors| !authors.is_empty());
        let everybody =
            |authors: &Vec<String>| authors.iter().any(|a| a.eq_ignore_ascii_case("all"));
        let authors = authors.filter(|authors| !everybody(authors));
        texts("devices")?;
        let description = match body.get("description") {
            None => String::new(),
            Some(text) => match text.as_str() {
                Some(text) if text.chars().count() <= MOST_DESCRIPTION => text.to_owned(),
                _ => {
                    let message =
                        format!("must be a text of at most {MOST_DESCRIPTION} characters");
                    return Err(Failure::malformed(message, "/description"));
                }
            },
        };
        let tenant = tenant.to_owned();
        Ok(Self { scope: Scope { tenant, folders, authors }, description })
    }
}

/// Asks for a push.
pub(super) async fn push(
    prisma: &Prisma,
    appliance: &Appliance,
    actor: &Actor,
    body: &Value,
) -> Result<Answer, Refusal> {
    let Order { scope, description } = Order::read(body, &actor.tenant)?;
    let (candidate, running) = (Arc::clone(&prisma.candidate), Arc::clone(&appliance.engine));
    let asked = scope.clone();
    let pending = tokio::task::spawn_blocking(move || push::pending(&candidate, &running, &asked));
    if pending.await.map_err(|_| Failure::Internal)??.is_empty() {
        return Err(Refusal::NothingToPush);
    }
    let (admin, time) = (actor.client.clone(), prisma.settings.job_time);
    let change = move |edit: &mut Edit<'_>| enqueue(edit, &scope, &admin, &description, time);
    let number = appliance.autocommit_on(&prisma.candidate, &actor.client, change).await?;
    if prisma.settings.job_polls > 0 {
        prisma.progress.polls.lock().insert(number, 0);
    }
    settle(prisma, appliance).await?;
    let document = json!({
        "success": true,
        "job_id": number.to_string(),
        "message": format!("CommitAndPush job enqueued with jobid {number}"),
    });
    Ok(Answer::json(StatusCode::CREATED, document.to_string()))
}

fn enqueue(
    edit: &mut Edit<'_>,
    scope: &Scope,
    admin: &str,
    description: &str,
    time: std::time::Duration,
) -> Result<u64, Failure> {
    let now = edit.now();
    let job = |parent: u64, device: &str| {
        let mut body = json!({
            "tenant": scope.tenant,
            "parent": parent,
            "device": device,
            "admin": admin,
            "description": description,
            "folders": scope.folders,
            "begun": now.as_micros(),
            "due": now.plus(time).as_micros(),
            "base": 0,
            "state": "active",
        });
        if let Some(authors) = &scope.authors {
            body["authors"] = json!(authors);
        }
        body
    };
    let mut parent = job(0, "");
    parent["base"] = json!(edit.base().get());
    let path = edit.node_create(route::jobs(), parent)?;
    let number = path.key().and_then(|key| key.as_str().parse().ok()).ok_or(Failure::Internal)?;
    for folder in &scope.folders {
        edit.node_create(route::jobs(), job(number, folder))?;
    }
    let old: Vec<Job> = all(edit.tree()).collect();
    let parents: Vec<u64> =
        old.iter().filter(|job| job.parent() == 0).map(|job| job.number).collect();
    let surplus = &parents[..parents.len().saturating_sub(KEPT)];
    let goes = |job: &&Job| {
        !job.is_active() && (surplus.contains(&job.number) || surplus.contains(&job.parent()))
    };
    for path in old.iter().filter(goes).filter_map(Job::path) {
        edit.node_delete(&path)?;
    }
    Ok(number)
}

// ===== doing them =====

/// Does the jobs whose time has come, in their order.
pub(super) async fn settle(prisma: &Prisma, appliance: &Appliance) -> Result<(), Failure> {
    loop {
        if next(prisma, appliance.now()).is_none() {
            return Ok(());
        }
        let _doing = prisma.progress.doing.lock().await;
        let Some(job) = next(prisma, appliance.now()) else { return Ok(()) };
        let number = job.number;
        let done = carry_out(prisma, appliance, &job).await;
        let errors = match done {
            Ok(()) => None,
            // The store takes nothing more: what became of the job is seen at the next start.
            Err(failure @ Failure::Engine(EngineError::Store(_))) => return Err(failure),
            Err(failure) => Some(reasons(&failure)),
        };
        let change = move |edit: &mut Edit<'_>| finish(edit, number, errors.as_deref());
        appliance.autocommit_on(&prisma.candidate, &job.text("admin"), change).await?;
        prisma.progress.polls.lock().remove(&number);
    }
}

// The first job that is not done, if its time has come.
fn next(prisma: &Prisma, now: Timestamp) -> Option<Job> {
    let candidate = prisma.candidate.running();
    let mut parents = all(&candidate.tree).filter(|job| job.parent() == 0);
    let job = parents.find(Job::is_active)?;
    let polls = prisma.progress.polls.lock().get(&job.number).copied();
    let is_polled = polls.is_none_or(|polls| polls >= prisma.settings.job_polls);
    let is_due = job.body["due"].as_i64().is_some_and(|due| due <= now.as_micros());
    (is_polled && is_due).then_some(job)
}

async fn carry_out(prisma: &Prisma, appliance: &Appliance, job: &Job) -> Result<(), Failure> {
    let authors = job.body.get("authors").map(|_| job.texts("authors"));
    let (tenant, folders) = (job.text("tenant"), job.texts("folders"));
    let base = RevisionNumber::new(job.body["base"].as_u64().unwrap_or(0));
    let version = NewVersion {
        tenant: tenant.clone(),
        admin: job.text("admin"),
        folders: folders.clone(),
        description: job.text("description"),
        job: job.number,
    };
    let scope = Scope { tenant, folders, authors };
    push::publish(prisma, appliance, Pushed { scope, base, version }).await
}

fn reasons(failure: &Failure) -> Vec<String> {
    match failure {
        Failure::Engine(EngineError::Rejected(found) | EngineError::Invalid(found)) => found
            .iter()
            .take(100)
            .map(|one| format!("{}#{}: {}", one.path, one.pointer, one.message))
            .collect(),
        Failure::Engine(error) => vec![error.to_string()],
        _ => vec!["the push failed; the log of the server says more".to_owned()],
    }
}

fn finish(edit: &mut Edit<'_>, number: u64, errors: Option<&[String]>) -> Result<(), Failure> {
    let now = edit.now().as_micros();
    let jobs: Vec<Job> = all(edit.tree()).collect();
    for mut job in jobs {
        if (job.number != number && job.parent() != number) || !job.is_active() {
            continue;
        }
        let path = job.path().ok_or(Failure::Internal)?;
        job.body["state"] = json!(if errors.is_some() { "failed" } else { "done" });
        job.body["ended"] = json!(now);
        if let Some(errors) = errors {
            job.body["errors"] = json!(errors);
        }
        edit.node_put(&path, job.body)?;
    }
    Ok(())
}

// ===== what is shown =====

/// One job, in a list. Each look is a poll for all that are not done.
pub(super) async fn one(
    prisma: &Prisma,
    appliance: &Appliance,
    actor: &Actor,
    id: &str,
) -> Result<Answer, Refusal> {
    prisma.progress.polls.lock().values_mut().for_each(|polls| *polls = polls.saturating_add(1));
    settle(prisma, appliance).await?;
    let candidate = prisma.candidate.running();
    let mut mine = all(&candidate.tree).filter(|job| job.body["tenant"] == actor.tenant);
    let job = mine.find(|job| job.number.to_string() == id).ok_or_else(route::missing)?;
    let first = first_active(&candidate.tree);
    Ok(Answer::json(StatusCode::OK, json!({ "data": [shown(&job, first)] }).to_string()))
}

/// All jobs of a tenant, the newest first.
pub(super) async fn list(
    prisma: &Prisma,
    appliance: &Appliance,
    actor: &Actor,
    asked: &Asked,
) -> Result<Answer, Refusal> {
    settle(prisma, appliance).await?;
    let candidate = prisma.candidate.running();
    let first = first_active(&candidate.tree);
    let mine = all(&candidate.tree).filter(|job| job.body["tenant"] == actor.tenant);
    let mut mine: Vec<Job> = mine.collect();
    mine.reverse();
    let page = mine.iter().skip(asked.offset).take(asked.limit);
    let data: Vec<Value> = page.map(|job| shown(job, first)).collect();
    let Asked { limit, offset, .. } = asked;
    let document = json!({ "data": data, "limit": limit, "offset": offset, "total": mine.len() });
    Ok(Answer::json(StatusCode::OK, document.to_string()))
}

// The job that is being done, or will be next.
fn first_active(tree: &Tree) -> Option<u64> {
    all(tree).filter(|job| job.parent() == 0).find(Job::is_active).map(|job| job.number)
}

fn shown(job: &Job, first: Option<u64>) -> Value {
    let is_parent = job.parent() == 0;
    let root = if is_parent { job.number } else { job.parent() };
    let is_waiting = job.is_active() && first != Some(root);
    let (state, state_code) = match job.body["state"].as_str() {
        Some("active") if is_waiting => ("PEND", "0"),
        Some("active") => ("ACT", "1"),
        _ => ("FIN", "2"),
    };
    let (result, result_code) = match job.body["state"].as_str() {
        Some("active") => ("PEND", "0"),
        Some("done") => ("OK", "2"),
        _ => ("FAIL", "3"),
    };
    let percent = if is_waiting {
        "0"
    } else if job.is_active() {
        "99"
    } else {
        "100"
    };
    let (kind, code, owner) = match is_parent {
        true => ("CommitAndPush", "53", "cfgserv"),
        false => ("CommitAll", "22", "gpcs-ext"),
    };
    let time = |name: &str| job.body[name].as_i64().map(Timestamp::from_micros);
    let begun = time("begun").map(times::plain).unwrap_or_default();
    let ended = time("ended").map(times::plain).unwrap_or_default();
    let updated = if ended.is_empty() { begun.clone() } else { ended.clone() };
    json!({
        "id": job.number.to_string(),
        "parent_id": job.parent().to_string(),
        "owner": owner,
        "uname": job.text("admin"),
        "device_name": job.text("device"),
        "type_str": kind,
        "type_i": code,
        "job_type": code,
        "status_str": state,
        "status_i": state_code,
        "job_status": state_code,
        "result_str": result,
        "result_i": result_code,
        "job_result": result_code,
        "percent": percent,
        "insert_ts": begun,
        "start_ts": begun,
        "end_ts": ended,
        "last_update": updated,
        "summary": "",
        "opaque_int": "0",
        "opaque_str": "",
        "session_id": "",
        "details": details(job).to_string(),
    })
}

fn details(job: &Job) -> Value {
    let info: &[&str] = match job.body["state"].as_str() {
        Some("done") => &["Configuration committed successfully"],
        Some("failed") => &["Configuration commit failed"],
        _ => &[],
    };
    json!({
        "info": info,
        "errors": job.texts("errors"),
        "warnings": [],
        "description": job.text("description"),
    })
}
