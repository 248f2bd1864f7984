//! Versions: what was pushed, numbered for each tenant. They are nodes of the running head, written
//! by the commit of the push itself, so there is no push without its version and none without push.

use config_tree::{Body, Key, Tree};
use hyper::StatusCode;
use serde_json::{Value, json};
use transaction_engine::{Edit, Engine, RevisionNumber, Timestamp};

use super::access::Actor;
use super::refusal::Refusal;
use super::route::{self, Base};
use super::{container, times};
use crate::answer::Answer;
use crate::failure::Failure;

/// The version before the first push: a configuration without objects.
const FIRST: u64 = 1;

/// How many are kept of each tenant.
const KEPT: usize = 500;

/// The folders that have a running version of their own.
const DEVICES: [&str; 5] = [
    "Mobile Users",
    "Remote Networks",
    "Service Connections",
    "Mobile Users Container",
    "Mobile Users Explicit Proxy",
];

/// A version that a push makes.
#[derive(Debug, Clone)]
pub(super) struct NewVersion {
    pub(super) tenant: String,
    pub(super) admin: String,
    pub(super) folders: Vec<String>,
    pub(super) description: String,
    pub(super) job: u64,
}

/// The versions of a tenant, the oldest first.
fn of_tenant(tree: &Tree, tenant: &str) -> Vec<(Key, Value)> {
    let all = tree.members(route::versions()).map(|(key, body)| (key.clone(), body.value()));
    all.filter(|(_, version)| version["tenant"] == tenant).collect()
}

/// The version that a job made.
pub(super) fn of_job(tree: &Tree, job: u64) -> Option<Value> {
    let all = tree.members(route::versions()).map(|(_, body)| Body::value(body));
    all.into_iter().find(|version| version["job"] == job)
}

fn newest(versions: &[(Key, Value)]) -> u64 {
    versions.iter().filter_map(|(_, one)| one["version"].as_u64()).max().unwrap_or(FIRST)
}

/// Adds the next version to the commit that makes it.
pub(super) fn add(edit: &mut Edit<'_>, new: &NewVersion) -> Result<(), Failure> {
    let NewVersion { tenant, admin, folders, description, job } = new;
    let versions = of_tenant(edit.tree(), tenant);
    let body = json!({
        "tenant": tenant,
        "version": newest(&versions) + 1,
        // The commit of this edit is the next revision: an edit is run again on any other.
        "revision": edit.base().get() + 1,
        "date": edit.now().as_micros(),
        "admin": admin,
        "scope": folders.join(","),
        "folders": folders,
        "description": description,
        "job": job,
    });
    edit.node_create(route::versions(), body)?;
    let surplus = (versions.len() + 1).saturating_sub(KEPT);
    for (key, _) in versions.iter().take(surplus) {
        edit.node_delete(&route::versions().join(key))?;
    }
    Ok(())
}

/// The tree of a version; `None` where there is no such version, or it is not kept any more.
pub(super) fn tree(engine: &Engine, tenant: &str, number: u64) -> Result<Option<Tree>, Failure> {
    if number == FIRST {
        return Ok(Some(engine.catalog().skeleton()));
    }
    let versions = of_tenant(&engine.running().tree, tenant);
    let found = versions.iter().find(|(_, one)| one["version"] == number);
    let Some(revision) = found.and_then(|(_, one)| one["revision"].as_u64()) else {
        return Ok(None);
    };
    Ok(engine.tree_at(RevisionNumber::new(revision))?)
}

fn shown(version: &Value) -> Value {
    let number = &version["version"];
    let date = version["date"].as_i64().unwrap_or(0);
    let date = Timestamp::from_micros(date);
    json!({
        "id": number,
        "version": number.to_string(),
        "date": times::millis(date),
        "admin": version["admin"],
        "scope": version["scope"],
        "description": version["description"],
        "created": times::seconds(date),
        "updated": times::seconds(date),
        "deleted": 0,
        "swg_config": "",
        "ngfw_scope": "",
        "types": "",
        "impacted_devices": "",
        "edited_by": version["admin"],
    })
}

// The version before the first push is as old as the configuration.
fn first() -> Value {
    json!({
        "version": FIRST, "date": 0, "admin": "", "scope": "All", "folders": ["All"],
        "description": "Before the first push",
    })
}

fn all(engine: &Engine, tenant: &str) -> Vec<Value> {
    let kept = of_tenant(&engine.running().tree, tenant).into_iter().map(|(_, version)| version);
    std::iter::once(first()).chain(kept).collect()
}

/// All versions, the newest first.
pub(super) fn list(engine: &Engine, actor: &Actor, base: Base) -> Answer {
    let found: Vec<Value> = all(engine, &actor.tenant).iter().rev().map(shown).collect();
    let document = match base {
        Base::Legacy => json!(found),
        Base::Current => json!({
            "data": found, "offset": 0, "total": found.len(), "limit": found.len(),
        }),
    };
    Answer::json(StatusCode::OK, document.to_string())
}

/// One version, in a list.
pub(super) fn one(engine: &Engine, actor: &Actor, number: &str) -> Result<Answer, Refusal> {
    let versions = all(engine, &actor.tenant);
    let number: Option<u64> = number.parse().ok();
    let found = versions.iter().find(|one| number.is_some() && one["version"].as_u64() == number);
    let found = found.ok_or_else(route::missing)?;
    Ok(Answer::json(StatusCode::OK, json!([shown(found)]).to_string()))
}

/// Which version each part of the network has.
pub(super) fn running(engine: &Engine, actor: &Actor) -> Answer {
    let versions = all(engine, &actor.tenant);
    let device = |device: &&str| {
        let container = container::kept(&actor.tenant, "folder", device);
        let chain = engine.catalog().folder_chain(&container);
        let covers = |version: &&Value| {
            let folders = version["folders"].as_array().into_iter().flatten();
            let mut folders = folders.filter_map(Value::as_str);
            folders.any(|folder| chain.contains(&container::kept(&actor.tenant, "folder", folder)))
        };
        let version = versions.iter().rev().find(covers)?;
        let date = Timestamp::from_micros(version["date"].as_i64().unwrap_or(0));
        Some(json!({
            "device": device, "version": version["version"], "date": times::millis(date),
        }))
    };
    let data: Vec<Value> = DEVICES.iter().filter_map(device).collect();
    Answer::json(StatusCode::OK, json!({ "data": data }).to_string())
}
