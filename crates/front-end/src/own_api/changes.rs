//! Lists of changes as the own API shows them: as the appliance does, with the path of the tree and
//! the place inside the body next to the appliance's path.

use config_tree::Change;
use serde_json::{Value, json};

use crate::changelog;
use crate::presentation::Presentation;

/// The entries for all changes, in order.
pub(super) fn entries(shows: &dyn Presentation, changes: &[Change]) -> Vec<Value> {
    changes.iter().flat_map(|change| of_one(shows, change)).collect()
}

/// The entries for one change.
pub(super) fn of_one(shows: &dyn Presentation, change: &Change) -> Vec<Value> {
    let mut entries = changelog::entries(shows, std::slice::from_ref(change));
    for entry in &mut entries {
        let inner = entry["path"].as_str().and_then(|path| path.split_once('#'));
        let pointer = inner.map_or_else(String::new, |(_, inner)| format!("/{inner}"));
        entry["node"] = json!(change.path().to_string());
        entry["pointer"] = json!(pointer);
    }
    entries
}
