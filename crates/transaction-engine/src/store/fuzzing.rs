//! A door for the fuzz targets (`tests/fuzz`): the decoders of everything that is stored, each
//! with its encoder.
//!
//! Behind no feature, so that what is fuzzed is what is shipped; nothing in the program calls it.
//! What goes through a whole store needs no door: [`RevisionLog`](super::RevisionLog) over a
//! [`MemStore`](super::MemStore) is one.

use blake3::{Hash, Hasher};
use config_tree::Tree;

use super::checkpoint::{NotWritten, Problem, trailer, write_lines};
use super::checkpoint_read::read_lines;
use super::high_water_mark::{SLOT_BYTES, Seen};
use super::layout::{self, ChainEntry};
use super::metadata::{self, MetadataHead};
use crate::store::revision::{RevisionNumber, RevisionRecord};

/// Reads a chain entry and writes it again.
#[must_use]
pub fn chain_entry(bytes: &[u8]) -> Option<Vec<u8>> {
    ChainEntry::parse(bytes).map(|entry| entry.to_bytes())
}

/// The chain entry of a record that follows the one with this hash.
#[must_use]
pub fn chain_entry_of(record: &RevisionRecord, previous: [u8; 32]) -> Option<Vec<u8>> {
    let encoded = layout::encode_record(record).ok()?;
    Some(ChainEntry::new(record, &encoded, Hash::from_bytes(previous)).to_bytes())
}

/// Reads the text of a record.
///
/// # Errors
/// What is wrong with it.
pub fn record(raw: &[u8]) -> Result<RevisionRecord, String> {
    layout::decode_record(raw)
}

/// The text of a record; `None` for one that may not be stored.
#[must_use]
pub fn record_text(record: &RevisionRecord) -> Option<Vec<u8>> {
    layout::encode_record(record).ok().map(|encoded| encoded.chunks.concat())
}

/// Reads the text of a record but for its changes, of which there is a given number: author, session,
/// message.
#[must_use]
pub fn heading(raw: &[u8]) -> Option<(String, String, Option<String>, usize)> {
    let layout::Heading { author, session, message, changes } = layout::decode_heading(raw).ok()?;
    Some((author, session, message, changes))
}

/// Reads the head of the side entries and writes it again.
#[must_use]
pub fn side_head(bytes: &[u8]) -> Option<Vec<u8>> {
    MetadataHead::parse(bytes).map(MetadataHead::to_bytes)
}

/// Reads a side entry and writes it again.
#[must_use]
pub fn side_entry(key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    metadata::rewritten(key, value)
}

/// The value of a side entry with this text, whatever it says.
#[must_use]
pub fn side_value(key: &[u8], text: &[u8]) -> Vec<u8> {
    [metadata::hash_of(key, text).as_bytes(), text].concat()
}

/// Reads one place of the note of what is durable and writes it again.
#[must_use]
pub fn note(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut place = [0; SLOT_BYTES];
    let length = bytes.len().min(SLOT_BYTES);
    place[..length].copy_from_slice(&bytes[..length]);
    Seen::parse(&place).map(|seen| seen.to_bytes())
}

/// Reads a checkpoint.
///
/// # Errors
/// What is wrong with it, by kind.
pub fn checkpoint(
    bytes: &[u8],
    number: RevisionNumber,
    skeleton: &Tree,
) -> Result<Tree, &'static str> {
    match read_lines(bytes, number, skeleton) {
        Ok(checkpoint) => Ok(checkpoint.tree),
        Err(Problem::Damaged(_)) => Err("damaged"),
        Err(Problem::Format(_)) => Err("format"),
        Err(Problem::NoPlace(_)) => Err("no place"),
        Err(Problem::Io(_)) => Err("not read"),
    }
}

/// A checkpoint of a tree.
///
/// # Errors
/// A body that may not be stored.
pub fn checkpoint_of(
    number: RevisionNumber,
    chain: [u8; 32],
    tree: &Tree,
) -> Result<Vec<u8>, String> {
    write_lines(Vec::new(), number, Hash::from_bytes(chain), tree).map_err(|fault| match fault {
        NotWritten::Refused(what) => what,
        NotWritten::Io(error) => error.to_string(),
    })
}

/// These lines with the last line that makes them a whole checkpoint, whatever they say.
#[must_use]
pub fn checkpoint_ended(lines: &[u8]) -> Vec<u8> {
    let bodies = lines.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1);
    let mut hasher = Hasher::new();
    hasher.update(lines);
    [lines, trailer(bodies, hasher.finalize()).as_bytes()].concat()
}
