//! Who uses a node: what a person asks before deleting it, or after a refusal because it is in use.

use serde_json::json;

use super::call::{Call, Refused};
use super::route::{Operation, Who, ok, query, run};
use crate::answer::Answer;
use crate::caller::Access;
use crate::failure::{Failure, Place};
use crate::methods::Methods;

pub(super) const OPERATIONS: &[Operation] = &[Operation::new(
    Methods::GET,
    "references",
    "references",
    Who::Users,
    run!(references),
)
.does(
    "Say who uses a node",
    "The nodes that refer to one; those that the caller may not read are counted and not named.",
)
.with(&[query("path", "string", "The node, as the appliance or as the tree names it.")])
.answers(&[ok("References", "Who refers to it.")])
.refuses(&[400, 403, 404])];

/// The nodes that refer to `path`, in what the caller sees: a transaction of theirs included. Costs
/// as much as there are. Referrers that the caller may not read are counted and not named.
async fn references(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller, query) = (call.appliance, call.caller()?, call.query()?);
    let missing = "Say of what: ?path=/api/configuration/... or a path of the tree";
    let asked = query.get("path").ok_or_else(|| Failure::malformed(missing, ""))?;
    let shows = appliance.shows();
    let path = shows.node_path(asked).ok_or(Failure::PathUndecodable)?;
    let target = Place::Node(path.clone());
    let rights = &caller.rights;
    if !rights.allow(Access::Read, &path) {
        return Err(Failure::Forbidden(target).into());
    }
    let view = appliance.engine.view(&caller.session);
    if view.tree().get(&path).is_none() {
        return Err(Failure::NotFound(target).into());
    }
    let (seen, hidden): (Vec<_>, Vec<_>) = view
        .tree()
        .referrers(&path)
        .partition(|referrer| rights.allow(Access::Read, &referrer.path));
    let references: Vec<_> = seen
        .iter()
        .map(|referrer| {
            json!({
                "fragment": referrer.fragment,
                "node": referrer.path.to_string(),
                "path": shows.href(&referrer.path),
                "pointer": referrer.pointer,
            })
        })
        .collect();
    Ok(Answer::document(&json!({
        "hidden": hidden.len(),
        "meta": { "href": "/boxwood/v1/references", "parent": "/boxwood/v1", "target": shows.href(&path) },
        "references": references,
    })))
}
