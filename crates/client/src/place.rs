//! Paths of nodes: as a URL has them, and the nearest one when a path is nearly right.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::connection::Connection;
use crate::error::AskError;

/// A text as a step of a URL or a value of its query.
#[must_use]
pub fn encoded(text: &str) -> String {
    // Those that RFC 3986 calls unreserved stand for themselves.
    const ENCODED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ENCODED).to_string()
}

/// What stands below a resource of the API for the node at a path: `nodes/a/b`.
pub(crate) fn resource(kind: &str, path: &str) -> String {
    let steps = path.split('/').filter(|step| !step.is_empty()).map(encoded);
    std::iter::once(kind.to_owned()).chain(steps).collect::<Vec<_>>().join("/")
}

/// The same refusal, with the path that was probably meant.
pub(crate) fn with_suggestion(connection: &Connection, path: &str, error: AskError) -> AskError {
    match error {
        AskError::Refused { status: 404, problem, hint } => {
            let near = nearest(connection, path).map(|near| format!("Did you mean {near}?"));
            AskError::Refused { status: 404, problem, hint: near.or(hint) }
        }
        other => other,
    }
}

// Goes down from the root as far as the path is right, and takes the child that is most like the
// first step that is not.
fn nearest(connection: &Connection, path: &str) -> Option<String> {
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    for known in (0..steps.len()).rev() {
        let parent = steps[..known].join("/");
        let shown = format!("{}?limit=1000", resource("nodes", &parent));
        let Ok(node) = connection.get(shown) else { continue };
        let keys = children(&node);
        let wanted = steps[known];
        let near = keys.iter().map(|key| (strsim::jaro_winkler(key, wanted), key));
        let near = near.filter(|(likeness, _)| *likeness > 0.7);
        let (_, key) = near.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        let slash = if parent.is_empty() { "" } else { "/" };
        return Some(format!("{slash}{parent}/{key}"));
    }
    None
}

/// The keys of a node's children.
pub(crate) fn children(node: &Value) -> Vec<String> {
    let all = node["children"].as_array().into_iter().flatten();
    all.filter_map(|child| child["key"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_step_by_step() {
        assert_eq!(resource("nodes", "/a b/ü/"), "nodes/a%20b/%C3%BC");
        assert_eq!(resource("nodes", "/"), "nodes");
    }
}
