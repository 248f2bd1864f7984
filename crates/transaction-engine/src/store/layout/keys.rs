//! The keys of a store: what each is for, and the limits of what stands behind them.

use uuid::Uuid;

use crate::store::revision::RevisionNumber;

/// The version of everything described here.
pub(crate) const FORMAT: u32 = 1;

/// The longest value we ever write. sled keeps longer ones in files that it never syncs.
pub(crate) const CHUNK_BYTES: usize = 4096;

/// Holds the format version in decimal digits.
pub(crate) const FORMAT_KEY: &[u8] = b"f";
/// Holds a copy of the newest chain entry.
pub(crate) const HEAD_KEY: &[u8] = b"h";
/// Holds the number of the oldest record that is kept; absent while that is the first.
pub(crate) const OLDEST_KEY: &[u8] = b"o";
/// Holds the head of the metadata.
pub(crate) const METADATA_KEY: &[u8] = b"s";
/// Holds the commit that awaits its confirmation.
pub(crate) const AWAITING_KEY: &[u8] = b"w";
/// Tags, by name.
pub(crate) const TAG_PREFIX: &[u8] = b"t/";
/// Answers, by slot.
pub(crate) const ANSWER_PREFIX: &[u8] = b"k/";
/// When answers expire: time and slot.
pub(crate) const EXPIRY_PREFIX: &[u8] = b"e/";
/// Chain entries, in the order of their numbers.
pub(crate) const CHAIN_PREFIX: &[u8] = b"c/";

pub(crate) fn chain_key(number: RevisionNumber) -> Vec<u8> {
    [CHAIN_PREFIX, &number.get().to_be_bytes()].concat()
}

/// Before all chunks of all records.
pub(crate) const RECORD_PREFIX: &[u8] = b"r/";

pub(crate) fn record_prefix(number: RevisionNumber) -> Vec<u8> {
    [b"r/".as_slice(), &number.get().to_be_bytes(), b"/"].concat()
}

pub(crate) fn chunk_key(number: RevisionNumber, chunk: u32) -> Vec<u8> {
    [record_prefix(number), chunk.to_be_bytes().to_vec()].concat()
}

pub(crate) fn commit_key(commit_id: Uuid) -> Vec<u8> {
    [b"i/".as_slice(), commit_id.as_bytes()].concat()
}

/// A number on its own, as in the index of commit ids.
pub(crate) fn number_value(number: RevisionNumber) -> [u8; 8] {
    number.get().to_be_bytes()
}

pub(crate) fn parse_number(value: &[u8]) -> Option<RevisionNumber> {
    value.try_into().ok().map(|bytes| RevisionNumber::new(u64::from_be_bytes(bytes)))
}

/// What a key of ours is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyKind {
    Single,
    Chain,
    Chunk(RevisionNumber),
    Commit,
    Metadata,
}

/// Says what a key is for; `None` when it is none of ours.
pub(crate) fn kind_of(key: &[u8]) -> Option<KeyKind> {
    match key {
        b"f" | b"h" | b"o" => Some(KeyKind::Single),
        key if key == METADATA_KEY || key == AWAITING_KEY => Some(KeyKind::Metadata),
        key if [TAG_PREFIX, ANSWER_PREFIX, EXPIRY_PREFIX].iter().any(|p| key.starts_with(p)) => {
            Some(KeyKind::Metadata)
        }
        [b'c', b'/', number @ ..] if number.len() == 8 => Some(KeyKind::Chain),
        [b'i', b'/', id @ ..] if id.len() == 16 => Some(KeyKind::Commit),
        [b'r', b'/', rest @ ..] if rest.len() == 8 + 1 + 4 && rest[8] == b'/' => {
            parse_number(&rest[..8]).map(KeyKind::Chunk)
        }
        _ => None,
    }
}
