//! Who wrote what stands at a node now: found in the history of its engine.

use std::collections::{HashMap, HashSet};

use config_tree::NodePath;
use transaction_engine::{Engine, Error, RevisionNumber, Timestamp};

/// The commit by which a node became what it is.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// Who committed.
    pub(crate) author: String,
    /// When.
    pub(crate) time: Timestamp,
    /// The revision that it made.
    pub(crate) revision: RevisionNumber,
}

/// Who wrote each of these nodes last, as of a revision. One whose commit is not kept any more is
/// not in the answer. Reads the store from the newest commit backwards, until all are found.
pub(crate) fn written(
    engine: &Engine,
    newest: RevisionNumber,
    paths: &[NodePath],
) -> Result<HashMap<NodePath, Written>, Error> {
    let mut wanted: HashSet<&NodePath> = paths.iter().collect();
    let mut found = HashMap::new();
    let oldest = engine.oldest_revision();
    let mut number = newest;
    while !wanted.is_empty() && number >= oldest && number.get() > 0 {
        let Some(record) = engine.revision_read(number)? else { break };
        for change in &record.changes {
            if wanted.remove(change.path()) {
                let (author, time) = (record.author.clone(), record.time);
                let written = Written { author, time, revision: record.number };
                found.insert(change.path().clone(), written);
            }
        }
        number = number.previous();
    }
    Ok(found)
}
