//! Who uses a node: what a person asks before deleting it, or after being told that it is in use.

use serde_json::json;

use super::query::{Query, node_path};
use crate::accounts::Access;
use crate::error::ApiError;
use crate::respond::Answer;
use crate::service::Service;
use crate::session::Login;
use crate::sps::address::href;

/// The nodes that refer to `path`, in what the caller sees: a transaction of theirs included. Costs
/// as much as there are. Referrers that the caller may not read are counted and not named.
pub(super) fn references(
    service: &Service,
    login: &Login,
    query: Option<&str>,
) -> Result<Answer, ApiError> {
    let query = Query::read(query, &["path"])?;
    let missing = "Say of what: ?path=/api/configuration/... or a path of the tree";
    let asked = query.get("path").ok_or_else(|| ApiError::syntactic(missing, ""))?;
    let path = node_path(asked).ok_or_else(ApiError::bad_path)?;
    let target = href(&path);
    let rights = &login.account.rights;
    if !rights.allow(Access::Read, &path) {
        return Err(ApiError::unauthorized(&target));
    }
    let view = service.engine.view(&login.session);
    if view.tree().get(&path).is_none() {
        return Err(ApiError::not_found(&target));
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
                "path": href(&referrer.path),
                "pointer": referrer.pointer,
            })
        })
        .collect();
    Ok(Answer::document(&json!({
        "hidden": hidden.len(),
        "meta": { "href": "/boxwood/v1/references", "parent": "/boxwood/v1", "target": target },
        "references": references,
    })))
}
