//! `/boxwood/v1/heads`: the heads of an appliance, and what leads from the running one to another.

use std::sync::Arc;

use config_tree::{Change, NodePath, changes_between, touched_between};
use serde_json::{Value, json};
use transaction_engine::{Engine, Revision};

use super::blocking;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::authorship::{Written, written};
use crate::changelog;
use crate::failure::{Failure, Place};
use crate::presentation::Presentation;

const HREF: &str = "/boxwood/v1/heads";

/// All heads with their revisions.
pub(super) fn heads(appliance: &Appliance) -> Answer {
    let running = ("running", &appliance.engine);
    let others = appliance.heads().iter().map(|head| (head.name, &head.engine));
    let item = |(name, engine): (&str, &Arc<Engine>)| json!({ "name": name, "revision": engine.running_number().get() });
    let items: Vec<Value> = std::iter::once(running).chain(others).map(item).collect();
    let meta = json!({ "href": HREF, "parent": "/boxwood/v1" });
    Answer::document(&json!({ "items": items, "meta": meta }))
}

/// What leads from the running head to another one, with who wrote each change there.
pub(super) async fn changes(appliance: &Appliance, name: &str) -> Result<Answer, Failure> {
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
        let path = change.path().clone();
        for mut entry in changelog::entries(shows, &[change]) {
            if let Some(Written { author, time, revision }) = by {
                entry["author"] = json!(author);
                entry["time"] = json!(time.to_string());
                entry["revision"] = json!(revision.get());
            }
            entry["node"] = json!(path.to_string());
            shown.push(entry);
        }
    }
    Ok(shown)
}
