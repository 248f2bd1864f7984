//! Chain entries: a fixed number of bytes each, exact to the bit.

use blake3::Hash;
use config_tree::TreeDigest;
use uuid::Uuid;

use super::keys::{CHUNK_BYTES, FORMAT};
use super::record::Encoded;
use crate::store::revision::{RevisionNumber, RevisionRecord, Timestamp};

/// What the first chain entry names as its predecessor.
pub(crate) const GENESIS: Hash = Hash::from_bytes([0; 32]);

/// One link of the chain over all records; the newest is the head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ChainEntry {
    pub(crate) number: RevisionNumber,
    pub(crate) time: Timestamp,
    pub(crate) commit_id: Uuid,
    pub(crate) record_bytes: u64,
    pub(crate) record_hash: Hash,
    pub(crate) digest: TreeDigest,
    /// The `hash` of the entry before, [`GENESIS`] for the first.
    pub(crate) previous: Hash,
    // Over all of the above, so that no field can change alone.
    hash: Hash,
}

impl ChainEntry {
    pub(crate) const BYTES: usize = 4 + 8 + 8 + 16 + 8 + 4 + 4 * 32;

    pub(crate) fn new(record: &RevisionRecord, encoded: &Encoded, previous: Hash) -> Self {
        let mut entry = Self {
            number: record.number,
            time: record.time,
            commit_id: record.commit_id,
            record_bytes: encoded.bytes,
            record_hash: encoded.hash,
            digest: record.digest,
            previous,
            hash: GENESIS,
        };
        entry.hash = blake3::hash(&entry.hashed_bytes());
        entry
    }

    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    pub(crate) fn chunks(&self) -> u64 {
        self.record_bytes.div_ceil(CHUNK_BYTES as u64)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.hashed_bytes();
        bytes.extend_from_slice(self.hash.as_bytes());
        bytes
    }

    fn hashed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.extend_from_slice(&FORMAT.to_be_bytes());
        bytes.extend_from_slice(&self.number.get().to_be_bytes());
        bytes.extend_from_slice(&self.time.as_micros().to_be_bytes());
        bytes.extend_from_slice(self.commit_id.as_bytes());
        bytes.extend_from_slice(&self.record_bytes.to_be_bytes());
        // Redundant, and there for people who look at a store by hand.
        bytes.extend_from_slice(&u32::try_from(self.chunks()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(self.record_hash.as_bytes());
        bytes.extend_from_slice(&self.digest.to_bytes());
        bytes.extend_from_slice(self.previous.as_bytes());
        bytes
    }

    /// Reads an entry; `None` unless every bit is as it was written.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES {
            return None;
        }
        let mut rest = bytes;
        take::<4>(&mut rest)?;
        let mut entry = Self {
            number: RevisionNumber::new(u64::from_be_bytes(take(&mut rest)?)),
            time: Timestamp::from_micros(i64::from_be_bytes(take(&mut rest)?)),
            commit_id: Uuid::from_bytes(take(&mut rest)?),
            record_bytes: u64::from_be_bytes(take(&mut rest)?),
            record_hash: {
                take::<4>(&mut rest)?;
                Hash::from_bytes(take(&mut rest)?)
            },
            digest: TreeDigest::from_hex(&Hash::from_bytes(take(&mut rest)?).to_hex())?,
            previous: Hash::from_bytes(take(&mut rest)?),
            hash: GENESIS,
        };
        entry.hash = blake3::hash(&entry.hashed_bytes());
        // What was skipped above is covered here: only the bytes we would write ourselves count.
        (entry.to_bytes() == bytes).then_some(entry)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}
