//! `/boxwood/v1/heads`: the heads of an appliance, and what leads from the running one to another.

use std::sync::Arc;

use config_tree::{Change, NodePath, changes_between, touched_between};
use serde_json::{Value, json};
use transaction_engine::{Engine, Revision};

use super::call::{Call, Refused};
use super::route::{Operation, Who, ok, run};
use super::{blocking, changes};
use crate::answer::Answer;
use crate::authorship::{Written, written};
use crate::failure::{Failure, Place};
use crate::methods::Methods;
use crate::presentation::Presentation;

const HREF: &str = "/boxwood/v1/heads";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::GET, "heads", "heads", Who::Administrators, run!(heads))
        .does("List heads", "The heads of the appliance with their revisions.")
        .answers(&[ok("Heads", "All heads.")]),
    Operation::new(
        Methods::GET,
        "heads/{name}/changes",
        "head_changes",
        Who::Administrators,
        run!(head_changes),
    )
    .does("Compare a head", "What leads from the running head to another one, and who wrote it.")
    .answers(&[ok("HeadChanges", "The changes.")])
    .refuses(&[404]),
];

/// All heads with their revisions.
async fn heads(call: Call<'_>) -> Result<Answer, Refused> {
    let appliance = call.appliance;
    let running = ("running", &appliance.engine);
    let others = appliance.heads().iter().map(|head| (head.name, &head.engine));
    let item = |(name, engine): (&str, &Arc<Engine>)| json!({ "name": name, "revision": engine.running_number().get() });
    let items: Vec<Value> = std::iter::once(running).chain(others).map(item).collect();
    let meta = json!({ "href": HREF, "parent": "/boxwood/v1" });
    Ok(Answer::document(&json!({ "items": items, "meta": meta })))
}

/// What leads from the running head to another one, with who wrote each change there.
async fn head_changes(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, name) = (call.appliance, call.step("name"));
    let head = appliance.heads().iter().find(|head| head.name == name);
    let head = head.ok_or(Failure::NotFound(Place::Request))?.clone();
    let (running, shows) = (Arc::clone(&appliance.engine), appliance.shows());
    let (from, to) = (running.running(), head.engine.running());
    let mut touched = touched_between(&from.tree, &to.tree);
    // Members that only stand elsewhere in their collection do not differ.
    touched
        .retain(|path| appliance.dialect.moves(path) && from.tree.body(path) != to.tree.body(path));
    let found =
        blocking(move || difference((&from, &to), &touched, &head.engine, &*shows)).await??;
    let meta = json!({ "href": format!("{HREF}/{name}/changes"), "parent": HREF });
    Ok(Answer::document(&json!({ "changes": found, "meta": meta })))
}

fn difference(
    (from, to): (&Revision, &Revision),
    touched: &[NodePath],
    engine: &Engine,
    shows: &dyn Presentation,
) -> Result<Vec<Value>, Failure> {
    let written = written(engine, to.number, touched)?;
    let mut shown = Vec::new();
    for change in changes_between(&from.tree, &to.tree, touched) {
        if matches!(change, Change::Reorder { .. }) {
            continue;
        }
        let by = written.get(change.path());
        for mut entry in changes::of_one(shows, &change) {
            if let Some(Written { author, time, revision }) = by {
                entry["author"] = json!(author);
                entry["time"] = json!(time.to_string());
                entry["revision"] = json!(revision.get());
            }
            shown.push(entry);
        }
    }
    Ok(shown)
}
