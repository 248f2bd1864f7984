//! `/boxwood/v1/blame/…`: which commit last set each member of a body.

use std::sync::Arc;

use config_tree::{Body, Change, NodePath, Tree, pointer};
use serde_json::{Value, json};
use transaction_engine::{Engine, Error, RevisionNumber, RevisionRecord};

use super::blocking;
use super::call::{Call, Refused};
use super::route::{Operation, PREFIX, Who, ok, run};
use crate::answer::Answer;
use crate::authorship::{Written, written};
use crate::failure::{Failure, Place};
use crate::methods::Methods;

/// How many members of a collection are looked up at once.
const MOST_MEMBERS: usize = 1_000;

pub(super) const OPERATIONS: &[Operation] =
    &[Operation::new(Methods::GET, "blame/{path}", "blame", Who::Administrators, run!(blame))
        .does(
            "Say which commit set what",
            "For each member of a body the commit that last set it; for a collection, for each of \
             its first 1000 members. `complete` is false where older commits are not kept.",
        )
        .answers(&[ok("Blame", "Who set what.")])
        .refuses(&[404])];

async fn blame(call: Call<'_>) -> Result<Answer, Refused> {
    let (path, engine) = (call.node()?, Arc::clone(&call.appliance.engine));
    let running = engine.running();
    if running.tree.get(&path).is_none() {
        return Err(Failure::NotFound(Place::Node(path)).into());
    }
    let (shown, at) = (path.to_string(), path);
    let found = blocking(move || match running.tree.body(&at) {
        Some(body) => of_body(&engine, running.number, &at, body),
        None => of_members(&engine, running.number, &running.tree, &at),
    });
    let (entries, complete) = found.await??;
    let meta = json!({ "href": call.path, "parent": format!("{PREFIX}/nodes{shown}") });
    let document = json!({ "complete": complete, "items": entries, "meta": meta, "path": shown });
    Ok(Answer::document(&document))
}

type Entries = (Vec<Value>, bool);

fn of_members(
    engine: &Engine,
    newest: RevisionNumber,
    tree: &Tree,
    path: &NodePath,
) -> Result<Entries, Error> {
    let all = tree.children(path).map(|key| path.join(key));
    let all = all.filter(|path| tree.body(path).is_some());
    let paths: Vec<NodePath> = all.take(MOST_MEMBERS).collect();
    let found = written(engine, newest, &paths)?;
    let entry = |path: &NodePath| {
        let Written { author, time, revision } = found.get(path)?;
        Some(json!({
            "author": author,
            "node": path.to_string(),
            "pointer": "",
            "revision": revision.get(),
            "time": time.to_string(),
        }))
    };
    let entries: Vec<Value> = paths.iter().filter_map(entry).collect();
    let complete = entries.len() == tree.child_count(path);
    Ok((entries, complete))
}

fn of_body(
    engine: &Engine,
    newest: RevisionNumber,
    path: &NodePath,
    body: &Body,
) -> Result<Entries, Error> {
    let mut wanted = Vec::new();
    leaves(&body.value(), String::new(), &mut wanted);
    let (oldest, mut number, mut entries) = (engine.oldest_revision(), newest, Vec::new());
    while !wanted.is_empty() && number >= oldest && number.get() > 0 {
        let Some(record) = engine.revision_read(number)? else { break };
        for change in record.changes.iter().filter(|change| change.path() == path) {
            let (before, after) = match change {
                Change::Create { after, .. } => (None, after.value()),
                Change::Replace { before, after, .. } => (Some(before.value()), after.value()),
                Change::Delete { .. } | Change::Reorder { .. } => continue,
            };
            let is_old = |place: &String| {
                before.as_ref().is_some_and(|before| before.pointer(place) == after.pointer(place))
            };
            let (old, new): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_old);
            wanted = old;
            entries.extend(new.into_iter().map(|place| entry(path, &place, &record)));
        }
        number = number.previous();
    }
    entries.sort_by(|a: &Value, b: &Value| a["pointer"].as_str().cmp(&b["pointer"].as_str()));
    Ok((entries, wanted.is_empty()))
}

fn entry(path: &NodePath, place: &str, record: &RevisionRecord) -> Value {
    json!({
        "author": record.author,
        "message": record.message,
        "node": path.to_string(),
        "pointer": place,
        "revision": record.number.get(),
        "time": record.time.to_string(),
    })
}

// The places of all values other than objects with members.
fn leaves(value: &Value, place: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let mut place = place.clone();
                pointer::push(&mut place, name);
                leaves(value, place, found);
            }
        }
        _ => found.push(place),
    }
}
