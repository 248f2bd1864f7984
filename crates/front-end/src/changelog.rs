//! A list of changes as it is shown: one entry for each parameter.
//!
//! A replaced body is reported by the smallest parts that differ, with the way to each behind a
//! `#`, as fragment references have it. Where the *set* of members differs (a group was switched
//! on), the part that holds them is the entry. Bodies are compared in the form in which they are
//! shown, so no secret can appear here; a replaced secret shows as its new reference.

use config_tree::{Body, Change, NodePath, pointer};
use serde_json::{Value, json};

use crate::failure::place;
use crate::presentation::Presentation;

/// The entries for all changes, in order.
pub(crate) fn entries(shows: &dyn Presentation, changes: &[Change]) -> Vec<Value> {
    let mut entries = Vec::new();
    for change in changes {
        let path = shows.href(change.path());
        let show = |body: &Body| value(shows, change.path(), body);
        match change {
            Change::Create { after, .. } => {
                entries.push(json!({ "new_value": show(after), "path": path, "type": "create" }));
            }
            Change::Delete { before, .. } => {
                entries.push(json!({ "old_value": show(before), "path": path, "type": "delete" }));
            }
            Change::Replace { before, after, .. } => {
                let (before, after) = (show(before), show(after));
                if before == after {
                    // Only a secret differs, and what differs may not be shown.
                    entries.push(replaced(&path, "", &before, &after));
                }
                compare(&path, "", &before, &after, &mut entries);
            }
            Change::Reorder { before, after, .. } => entries.push(json!({
                "new_order": after.iter().map(config_tree::Key::as_str).collect::<Vec<_>>(),
                "old_order": before.iter().map(config_tree::Key::as_str).collect::<Vec<_>>(),
                "path": path,
                "type": "reorder",
            })),
        }
    }
    entries
}

fn value(shows: &dyn Presentation, path: &NodePath, body: &Body) -> Value {
    serde_json::from_slice(&shows.shown(path, body).text).unwrap_or(Value::Null)
}

fn compare(path: &str, place: &str, before: &Value, after: &Value, entries: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new))
            if old.keys().eq(new.keys()) && !is_reference(old) && !is_other_branch(old, new) =>
        {
            for (name, old) in old {
                let inner = format!("{place}/{}", pointer::escape(name));
                compare(path, &inner, old, &new[name], entries);
            }
        }
        _ if before == after => {}
        _ => entries.push(replaced(path, place, before, after)),
    }
}

// Another branch of a union: its members mean something else, even where they have one name.
fn is_other_branch(
    old: &serde_json::Map<String, Value>,
    new: &serde_json::Map<String, Value>,
) -> bool {
    old.get("selection") != new.get("selection")
}

fn is_reference(members: &serde_json::Map<String, Value>) -> bool {
    members.len() == 2 && members.contains_key("key") && members.contains_key("meta")
}

fn replaced(path: &str, pointer: &str, before: &Value, after: &Value) -> Value {
    json!({
        "new_value": after,
        "old_value": before,
        "path": place(path, pointer),
        "type": "replace",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(before: &Value, after: &Value) -> Vec<(String, Value, Value)> {
        let mut entries = Vec::new();
        compare("/p", "", before, after, &mut entries);
        let part = |entry: &Value, name: &str| entry[name].clone();
        entries
            .iter()
            .map(|entry| {
                let path = entry["path"].as_str().unwrap().to_owned();
                (path, part(entry, "old_value"), part(entry, "new_value"))
            })
            .collect()
    }

    #[test]
    fn only_what_differs_is_listed_and_each_part_on_its_own() {
        let before = json!({"a": 1, "b": {"c": [1], "d": null}, "e": "x"});
        let after = json!({"a": 2, "b": {"c": [1, 2], "d": null}, "e": "x"});
        assert_eq!(
            differences(&before, &after),
            [
                ("/p#a".to_owned(), json!(1), json!(2)),
                ("/p#b/c".to_owned(), json!([1]), json!([1, 2])),
            ]
        );
    }

    #[test]
    fn a_group_whose_members_differ_is_one_entry() {
        let before = json!({"g": {"enabled": false}, "h": 1});
        let after = json!({"g": {"enabled": true, "x": 1}, "h": 1});
        assert_eq!(
            differences(&before, &after),
            [("/p#g".to_owned(), json!({"enabled": false}), json!({"enabled": true, "x": 1}))]
        );
    }

    #[test]
    fn another_branch_of_a_union_is_one_entry() {
        let address = |selection: &str, value: &str| json!({"server": {"selection": selection, "value": value}});
        let found = differences(&address("ip", "192.0.2.1"), &address("fqdn", "a.example.com"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "/p#server");
    }

    #[test]
    fn a_reference_is_replaced_as_a_whole() {
        let reference = |key: &str| json!({"r": {"key": key, "meta": {"href": key}}});
        assert_eq!(differences(&reference("1"), &reference("2")).len(), 1);
    }
}
