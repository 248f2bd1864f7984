//! What an import would change, by place alone: values may be secrets, and there may be many.

use std::collections::BTreeMap;

use config_tree::{Change, NodePath};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is new.
    Added,
    /// It holds something else.
    Changed,
    /// It is gone.
    Removed,
    /// The members of a collection stand in another order.
    Reordered,
}

/// One node that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Difference {
    /// Which node, as a path of the tree.
    pub path: String,
    /// What happens to it.
    pub change: Kind,
    /// JSON Pointers to the smallest parts that differ; empty unless it is changed.
    pub members: Vec<String>,
}

/// The differences that changes come to, by path, each node once.
pub(super) fn differences(changes: &[Change]) -> Vec<Difference> {
    let mut found: BTreeMap<&NodePath, Difference> = BTreeMap::new();
    for change in changes {
        let path = change.path();
        let (change, members) = match change {
            Change::Create { .. } => (Kind::Added, Vec::new()),
            Change::Delete { .. } => (Kind::Removed, Vec::new()),
            Change::Reorder { .. } => (Kind::Reordered, Vec::new()),
            Change::Replace { before, after, .. } => {
                let mut members = Vec::new();
                compare("", &before.value(), &after.value(), &mut members);
                (Kind::Changed, members)
            }
        };
        found.insert(path, Difference { path: path.to_string(), change, members });
    }
    found.into_values().collect()
}

fn compare(pointer: &str, before: &Value, after: &Value, members: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let inner = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) => compare(&inner, old, new, members),
                    _ => members.push(inner),
                }
            }
        }
        _ if before == after => {}
        _ => members.push(pointer.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config_tree::{Body, Key};
    use serde_json::json;

    #[test]
    fn places_are_named_and_values_are_not() {
        let path = |text: &str| NodePath::parse(text).unwrap();
        let body = |value: Value| Body::new(&value, Vec::new());
        let changes = [
            Change::Delete { path: path("/c/x"), rank: Some(1), before: body(json!({})) },
            Change::Create { path: path("/c/y"), rank: None, after: body(json!("hunter2")) },
            Change::Replace {
                path: path("/a"),
                before: body(json!({"g": {"on": true, "x/y": 1}, "l": [1], "s": 1})),
                after: body(json!({"g": {"on": false, "z": 2}, "l": [1, 2], "s": 1})),
            },
            Change::Replace { path: path("/v"), before: body(json!(1)), after: body(json!(2)) },
            Change::Reorder {
                path: path("/c"),
                before: Vec::new(),
                after: vec![Key::parse("y").unwrap()],
            },
        ];
        let shown: Vec<String> = differences(&changes)
            .iter()
            .map(|d| format!("{:?} {} {}", d.change, d.path, d.members.join(" ")))
            .collect();
        assert_eq!(
            shown,
            [
                "Changed /a /g/on /g/x~1y /g/z /l",
                "Reordered /c ",
                "Removed /c/x ",
                "Added /c/y ",
                "Changed /v ",
            ]
        );
    }
}
