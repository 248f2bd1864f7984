//! Checking everything in a store against everything else.

use std::collections::BTreeMap;

use blake3::Hash;
use config_tree::{Tree, TreeDigest};

use super::{Chain, FIRST, Replay, damaged, decode, find_base, foreign, with_cause};
use crate::store::StoreError;
use crate::store::checkpoint::{Checkpoint, CheckpointDir};
use crate::store::layout::{self, KeyKind};
use crate::store::revision::RevisionNumber;

/// What `RevisionLog::verify` found in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The newest revision.
    pub head: RevisionNumber,
    /// How many records there are.
    pub records: u64,
    /// How many changes there are in all records.
    pub changes: u64,
    /// How many bytes all records take.
    pub bytes: u64,
    /// The revisions of which there are good checkpoints.
    pub checkpoints: Vec<RevisionNumber>,
    /// What is not as it should be and does no harm, such as a damaged checkpoint.
    pub warnings: Vec<String>,
}

/// Checks everything against everything else, while no checkpoint is written.
pub(crate) fn verify(
    chain: &Chain<'_>,
    checkpoints: Option<&CheckpointDir>,
    skeleton: &Tree,
) -> Result<Verified, StoreError> {
    let mut warnings = Vec::new();
    let marks = read_marks(chain, checkpoints, skeleton, &mut warnings)?;
    let (mut records, mut changes, mut bytes, mut chunks) = (0, 0, 0, 0);
    // From the very beginning where possible, and not from the newest checkpoint as at start.
    let start = if chain.oldest == FIRST { None } else { checkpoints };
    let mut replay = Replay::new(find_base(chain, start, skeleton, &mut Vec::new())?)?;
    chain.walk(|entry, raw| {
        replay.compare(entry)?;
        if marks.get(&entry.number).is_some_and(|mark| *mark != (entry.hash(), entry.digest)) {
            return Err(foreign(entry.number));
        }
        let record = decode(entry, raw)?;
        records += 1;
        changes += record.changes.len() as u64;
        bytes += entry.record_bytes;
        chunks += entry.chunks();
        replay.step(record)
    })?;
    check_keys(chain, records, chunks)?;
    let checkpoints = marks.into_keys().collect();
    Ok(Verified { head: chain.head_number(), records, changes, bytes, checkpoints, warnings })
}

type Marks = BTreeMap<RevisionNumber, (Hash, TreeDigest)>;

fn read_marks(
    chain: &Chain<'_>,
    checkpoints: Option<&CheckpointDir>,
    skeleton: &Tree,
    warnings: &mut Vec<String>,
) -> Result<Marks, StoreError> {
    let mut marks = Marks::new();
    let Some(dir) = checkpoints else { return Ok(marks) };
    for number in dir.numbers()?.into_iter().filter(|number| *number <= chain.head_number()) {
        match dir.read(number, skeleton) {
            Ok(Checkpoint { number, chain, tree }) => {
                marks.insert(number, (chain, tree.digest()));
            }
            Err(error) => warnings.push(with_cause(&error)),
        }
    }
    Ok(marks)
}

/// That there is nothing in the store but what the chain refers to.
fn check_keys(chain: &Chain<'_>, records: u64, chunks: u64) -> Result<(), StoreError> {
    let (mut indexed, mut stored) = (0, 0);
    for item in chain.store.scan(b"") {
        let (key, value) = item?;
        match layout::kind_of(&key) {
            // The side entries have a sum of their own.
            Some(KeyKind::Single | KeyKind::Chain | KeyKind::Metadata) => {}
            Some(KeyKind::Commit) => match layout::parse_number(&value) {
                Some(number) if number > chain.head_number() => {}
                _ => indexed += 1,
            },
            Some(KeyKind::Chunk(number)) if number > chain.head_number() => {}
            // Left from a record that is being removed.
            Some(KeyKind::Chunk(number)) if number < chain.oldest => {}
            Some(KeyKind::Chunk(_)) => stored += 1,
            None => return Err(damaged(format!("it has an unknown key {}", key.escape_ascii()))),
        }
    }
    if (indexed, stored) == (records, chunks) {
        Ok(())
    } else {
        Err(damaged(format!(
            "it has {indexed} index entries and {stored} chunks for {records} records of {chunks}"
        )))
    }
}
