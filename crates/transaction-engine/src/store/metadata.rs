//! What is kept in addition to revisions: tags, the answers that retries get, the commit that awaits its
//! confirmation.
//!
//! It changes without a revision of its own, so the chain of hashes does not cover it. It has a
//! head of its own instead: a count of the batches that changed it, and a sum of hashes over all
//! of its entries. Both go into the same batch as the change, and into the note next to the store,
//! so that a turned bit, a lost entry and a tail that was cut off are noticed here too.
//!
//! Each value is JSON behind a hash of key and text, and is checked whenever it is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use blake3::{Hash, Hasher};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::layout::{ANSWER_PREFIX, AWAITING_KEY, EXPIRY_PREFIX, METADATA_KEY, TAG_PREFIX};
use super::{Batch, Store, StoreError};
use crate::store::revision::{RevisionNumber, Timestamp};

const HASH: usize = blake3::OUT_LEN;

/// A name for a revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    /// The name.
    pub name: String,
    /// The revision it names.
    pub number: RevisionNumber,
    /// When it was set.
    pub time: Timestamp,
    /// Who set it.
    pub author: String,
}

/// Where an answer is kept: a hash of who asked and the key of the request.
pub type Slot = [u8; 32];

/// What a commit was answered, for those who ask again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Where it is kept.
    pub slot: Slot,
    /// A hash of the request, to tell a retry from another request under the same key.
    pub request: [u8; 32],
    /// The revision.
    pub number: RevisionNumber,
    /// How many nodes changed.
    pub changes: u64,
    /// The commit, where it was to be confirmed, and until when.
    pub confirm: Option<(Uuid, Timestamp)>,
    /// How long the answer is kept.
    pub expires: Timestamp,
}

/// A commit that is undone unless somebody confirms it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Awaiting {
    /// Its revision, the newest one.
    pub number: RevisionNumber,
    /// When it is undone.
    pub until: Timestamp,
    /// The hash of the token that confirms it.
    pub token: [u8; 32],
}

/// A change of the metadata.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataChange {
    /// Gives a name to a revision, the one it had before or a new one.
    TagSet(Tag),
    /// Takes a name away.
    TagDelete(String),
    /// Keeps an answer.
    Keep(Answer),
    /// Takes an answer away.
    Forget(Slot, Timestamp),
    /// A commit awaits its confirmation.
    Await(Awaiting),
    /// None does any more.
    Settle,
}

/// All of it that is small, as it was after the last durable batch.
#[derive(Clone, Default, Debug)]
pub(super) struct Metadata {
    pub(super) head: MetadataHead,
    // Shared, as a copy is made with every batch.
    pub(super) tags: Arc<BTreeMap<String, Tag>>,
    pub(super) awaiting: Option<Awaiting>,
    /// No answer expires before this.
    pub(super) next_expiry: Option<Timestamp>,
}

/// How often it changed, and the sum over its entries.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct MetadataHead {
    pub(super) sequence: u64,
    sum: [u64; 4],
}

impl MetadataHead {
    pub(super) const BYTES: usize = 8 + 32 + HASH;

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.sequence.to_be_bytes().to_vec();
        self.sum.iter().for_each(|lane| bytes.extend_from_slice(&lane.to_be_bytes()));
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        bytes
    }

    /// Reads a head; `None` unless every bit is as it was written.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |index: usize| {
            let word = bytes.get(index * 8..index * 8 + 8)?;
            Some(u64::from_be_bytes(word.try_into().ok()?))
        };
        let head = Self { sequence: word(0)?, sum: [word(1)?, word(2)?, word(3)?, word(4)?] };
        (head.to_bytes() == bytes).then_some(head)
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        let lanes = term(key, value);
        self.sum.iter_mut().zip(lanes).for_each(|(lane, term)| *lane = lane.wrapping_add(term));
    }

    fn subtract(&mut self, key: &[u8], value: &[u8]) {
        let lanes = term(key, value);
        self.sum.iter_mut().zip(lanes).for_each(|(lane, term)| *lane = lane.wrapping_sub(term));
    }
}

fn term(key: &[u8], value: &[u8]) -> [u64; 4] {
    let mut hasher = Hasher::new();
    hasher.update(&(key.len() as u64).to_be_bytes()).update(key).update(value);
    let hash = hasher.finalize();
    let mut lanes = [0; 4];
    for (lane, bytes) in lanes.iter_mut().zip(hash.as_bytes().chunks_exact(8)) {
        *lane = bytes.iter().fold(0, |lane, byte| lane << 8 | u64::from(*byte));
    }
    lanes
}

// ===== changing =====

impl Metadata {
    /// Adds changes to a batch, and says what it will be like when that is durable.
    pub(super) fn changed(
        &self,
        store: &dyn Store,
        changes: &[MetadataChange],
        batch: &mut Batch,
    ) -> Result<Self, StoreError> {
        let mut after = self.clone();
        if changes.is_empty() {
            return Ok(after);
        }
        after.head.sequence += 1;
        let mut entries: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        for change in changes {
            after.take_in(store, change, &mut entries)?;
        }
        for (key, value) in entries {
            if let Some(former) = store.get(&key)? {
                after.head.subtract(&key, &former);
            }
            match value {
                Some(value) => {
                    after.head.add(&key, &value);
                    batch.put(key, value);
                }
                None => batch.delete(key),
            }
        }
        batch.put(METADATA_KEY, after.head.to_bytes());
        Ok(after)
    }

    fn take_in(
        &mut self,
        store: &dyn Store,
        change: &MetadataChange,
        entries: &mut BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    ) -> Result<(), StoreError> {
        match change {
            MetadataChange::TagSet(tag) => {
                Arc::make_mut(&mut self.tags).insert(tag.name.clone(), tag.clone());
                let key = tag_key(&tag.name);
                let value = sealed(&key, &StoredTag::of(tag))?;
                entries.insert(key, Some(value));
            }
            MetadataChange::TagDelete(name) => {
                Arc::make_mut(&mut self.tags).remove(name);
                entries.insert(tag_key(name), None);
            }
            MetadataChange::Keep(answer) => {
                let next = self.next_expiry.map_or(answer.expires, |at| at.min(answer.expires));
                self.next_expiry = Some(next);
                let key = answer_key(&answer.slot);
                // One that has expired and was not removed yet: nothing else is replaced.
                if let Some((former, _)) = stored_answer(store, &answer.slot)? {
                    entries.insert(expiry_key(former.expires, &answer.slot), None);
                }
                let value = sealed(&key, &StoredAnswer::of(answer, self.head.sequence))?;
                entries.insert(key, Some(value));
                entries.insert(expiry_key(answer.expires, &answer.slot), Some(Vec::new()));
            }
            MetadataChange::Forget(slot, expires) => {
                entries.insert(answer_key(slot), None);
                entries.insert(expiry_key(*expires, slot), None);
            }
            MetadataChange::Await(awaiting) => {
                self.awaiting = Some(awaiting.clone());
                let value = sealed(AWAITING_KEY, &StoredAwaiting::of(awaiting))?;
                entries.insert(AWAITING_KEY.to_vec(), Some(value));
            }
            MetadataChange::Settle => {
                self.awaiting = None;
                entries.insert(AWAITING_KEY.to_vec(), None);
            }
        }
        Ok(())
    }

    /// The answer in a slot, as far as it is durable.
    pub(super) fn answer(
        &self,
        store: &dyn Store,
        slot: &Slot,
    ) -> Result<Option<Answer>, StoreError> {
        let stored = stored_answer(store, slot)?;
        let durable = stored.filter(|(_, sequence)| *sequence <= self.head.sequence);
        Ok(durable.map(|(answer, _)| answer))
    }

    /// What has expired, at most `limit` answers. Looks at the store only when there is something.
    pub(super) fn expired(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<MetadataChange>, StoreError> {
        let mut expired = Vec::new();
        if self.next_expiry.is_none_or(|next| now < next) {
            return Ok(expired);
        }
        self.next_expiry = None;
        for item in store.scan(EXPIRY_PREFIX) {
            let (key, _) = item?;
            let (at, slot) = parse_expiry(&key).ok_or_else(|| unreadable(&key))?;
            if at > now || expired.len() == limit {
                self.next_expiry = Some(at);
                break;
            }
            expired.push(MetadataChange::Forget(slot, at));
        }
        Ok(expired)
    }
}

// With the count of the batch that wrote it.
fn stored_answer(store: &dyn Store, slot: &Slot) -> Result<Option<(Answer, u64)>, StoreError> {
    let key = answer_key(slot);
    let Some(value) = store.get(&key)? else { return Ok(None) };
    let answer = unsealed::<StoredAnswer>(&key, &value).and_then(|s| s.into_answer(*slot));
    answer.map(Some).ok_or_else(|| unreadable(&key))
}

// ===== reading =====

/// Reads everything there is and checks it against its head.
pub(super) fn recover(store: &dyn Store) -> Result<Metadata, StoreError> {
    let head = match store.get(METADATA_KEY)? {
        Some(bytes) => MetadataHead::parse(&bytes).ok_or_else(|| unreadable(METADATA_KEY))?,
        None => MetadataHead::default(),
    };
    let mut view = Metadata { head, ..Metadata::default() };
    let mut counted = MetadataHead { sequence: head.sequence, ..MetadataHead::default() };
    for prefix in [TAG_PREFIX, ANSWER_PREFIX, EXPIRY_PREFIX, AWAITING_KEY] {
        for item in store.scan(prefix) {
            let (key, value) = item?;
            counted.add(&key, &value);
            view.read(&key, &value).ok_or_else(|| unreadable(&key))?;
        }
    }
    if counted != head {
        return Err(damaged("tags, answers and what awaits confirmation are not what was written"));
    }
    Ok(view)
}

impl Metadata {
    fn read(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        if let Some(name) = key.strip_prefix(TAG_PREFIX) {
            let name = std::str::from_utf8(name).ok()?.to_owned();
            let tag = unsealed::<StoredTag>(key, value)?.into_tag(name)?;
            Arc::make_mut(&mut self.tags).insert(tag.name.clone(), tag);
        } else if let Some(slot) = key.strip_prefix(ANSWER_PREFIX) {
            unsealed::<StoredAnswer>(key, value)?.into_answer(slot.try_into().ok()?)?;
        } else if key.starts_with(EXPIRY_PREFIX) {
            let (at, _) = parse_expiry(key).filter(|_| value.is_empty())?;
            self.next_expiry = Some(self.next_expiry.map_or(at, |next| next.min(at)));
        } else {
            self.awaiting = Some(unsealed::<StoredAwaiting>(key, value)?.into_awaiting()?);
        }
        Some(())
    }
}

fn unreadable(key: &[u8]) -> StoreError {
    damaged(format!("the entry {} cannot be read", key.escape_ascii()))
}

fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::damaged(what, "keep a copy of the data directory and restore it from a backup")
}

/// Reads an entry and writes it again, for the fuzz targets.
pub(super) fn rewritten(key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let mut view = Metadata::default();
    view.read(key, value)?;
    if let Some(slot) = key.strip_prefix(ANSWER_PREFIX) {
        let (answer, sequence) =
            unsealed::<StoredAnswer>(key, value)?.into_answer(slot.try_into().ok()?)?;
        return sealed(key, &StoredAnswer::of(&answer, sequence)).ok();
    }
    let written = match (view.tags.values().next(), view.awaiting) {
        (Some(tag), _) => sealed(key, &StoredTag::of(tag)),
        (None, Some(awaiting)) => sealed(key, &StoredAwaiting::of(&awaiting)),
        (None, None) => Ok(Vec::new()),
    };
    written.ok()
}

// ===== bytes =====

pub(super) fn tag_key(name: &str) -> Vec<u8> {
    [TAG_PREFIX, name.as_bytes()].concat()
}

pub(super) fn answer_key(slot: &Slot) -> Vec<u8> {
    [ANSWER_PREFIX, slot].concat()
}

pub(super) fn expiry_key(at: Timestamp, slot: &Slot) -> Vec<u8> {
    // No answer is kept from before 1970, and the order of keys is to be that of times.
    let micros = u64::try_from(at.as_micros()).unwrap_or(0);
    [EXPIRY_PREFIX, &micros.to_be_bytes(), slot].concat()
}

fn parse_expiry(key: &[u8]) -> Option<(Timestamp, Slot)> {
    let (time, slot) = key.strip_prefix(EXPIRY_PREFIX)?.split_at_checked(8)?;
    let micros = i64::try_from(u64::from_be_bytes(time.try_into().ok()?)).ok()?;
    Some((Timestamp::from_micros(micros), slot.try_into().ok()?))
}

fn sealed(key: &[u8], value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let text = serde_json::to_vec(value)
        .map_err(|error| StoreError::refused(format!("{}: {error}", key.escape_ascii())))?;
    Ok([hash_of(key, &text).as_bytes(), text.as_slice()].concat())
}

fn unsealed<'a, T: Deserialize<'a>>(key: &[u8], value: &'a [u8]) -> Option<T> {
    let (hash, text) = value.split_at_checked(HASH)?;
    if hash_of(key, text).as_bytes() != hash {
        return None;
    }
    serde_json::from_slice(text).ok()
}

pub(super) fn hash_of(key: &[u8], text: &[u8]) -> Hash {
    let mut hasher = Hasher::new();
    hasher.update(key).update(text);
    hasher.finalize()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTag {
    number: u64,
    time: i64,
    author: String,
}

impl StoredTag {
    fn of(tag: &Tag) -> Self {
        let Tag { name: _, number, time, author } = tag;
        Self { number: number.get(), time: time.as_micros(), author: author.clone() }
    }

    fn into_tag(self, name: String) -> Option<Tag> {
        let Self { number, time, author } = self;
        let (number, time) = (RevisionNumber::new(number), Timestamp::from_micros(time));
        (!name.is_empty()).then_some(Tag { name, number, time, author })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAnswer {
    sequence: u64,
    request: String,
    number: u64,
    changes: u64,
    expires: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirm: Option<StoredConfirm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredConfirm {
    commit_id: String,
    until: i64,
}

impl StoredAnswer {
    fn of(answer: &Answer, sequence: u64) -> Self {
        let Answer { slot: _, request, number, changes, confirm, expires } = answer;
        Self {
            sequence,
            request: Hash::from_bytes(*request).to_string(),
            number: number.get(),
            changes: *changes,
            expires: expires.as_micros(),
            confirm: confirm.map(|(commit_id, until)| StoredConfirm {
                commit_id: commit_id.to_string(),
                until: until.as_micros(),
            }),
        }
    }

    fn into_answer(self, slot: Slot) -> Option<(Answer, u64)> {
        let Self { sequence, request, number, changes, expires, confirm } = self;
        let confirm = match confirm {
            Some(StoredConfirm { commit_id, until }) => {
                Some((Uuid::parse_str(&commit_id).ok()?, Timestamp::from_micros(until)))
            }
            None => None,
        };
        let request = *Hash::from_hex(request).ok()?.as_bytes();
        let (number, expires) = (RevisionNumber::new(number), Timestamp::from_micros(expires));
        Some((Answer { slot, request, number, changes, confirm, expires }, sequence))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAwaiting {
    number: u64,
    until: i64,
    token: String,
}

impl StoredAwaiting {
    fn of(awaiting: &Awaiting) -> Self {
        let Awaiting { number, until, token } = awaiting;
        let token = Hash::from_bytes(*token).to_string();
        Self { number: number.get(), until: until.as_micros(), token }
    }

    fn into_awaiting(self) -> Option<Awaiting> {
        let Self { number, until, token } = self;
        Some(Awaiting {
            number: RevisionNumber::new(number),
            until: Timestamp::from_micros(until),
            token: *Hash::from_hex(token).ok()?.as_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemStore;

    fn answer(n: u8, expires: i64) -> Answer {
        Answer {
            slot: [n; 32],
            request: [7; 32],
            number: RevisionNumber::new(3),
            changes: 2,
            confirm: n.is_multiple_of(2).then(|| (Uuid::nil(), Timestamp::from_micros(9))),
            expires: Timestamp::from_micros(expires),
        }
    }

    fn tag(name: &str) -> Tag {
        Tag {
            name: name.to_owned(),
            number: RevisionNumber::new(1),
            time: Timestamp::from_micros(5),
            author: "me".to_owned(),
        }
    }

    fn write(store: &MemStore, view: &Metadata, changes: &[MetadataChange]) -> Metadata {
        let mut batch = Batch::default();
        let after = view.changed(store, changes, &mut batch).unwrap();
        store.write(batch).unwrap();
        after
    }

    #[test]
    fn what_was_written_is_read_back_and_counted() {
        let store = MemStore::new();
        let awaiting = Awaiting {
            number: RevisionNumber::new(3),
            until: Timestamp::from_micros(8),
            token: [1; 32],
        };
        let one = [
            MetadataChange::TagSet(tag("a")),
            MetadataChange::TagSet(tag("b")),
            MetadataChange::Keep(answer(1, 10)),
            MetadataChange::Keep(answer(2, 20)),
            MetadataChange::Await(awaiting.clone()),
        ];
        let view = write(&store, &Metadata::default(), &one);
        let two = [MetadataChange::TagDelete("a".into()), MetadataChange::TagSet(tag("b"))];
        let view = write(&store, &view, &two);
        let again = recover(&store).unwrap();
        assert_eq!(again.head, view.head);
        assert_eq!(again.tags.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(again.awaiting, Some(awaiting));
        assert_eq!(again.next_expiry, Some(Timestamp::from_micros(10)));
        assert_eq!(again.answer(&store, &[2; 32]).unwrap(), Some(answer(2, 20)));

        let mut view = again;
        let expired = view.expired(&store, Timestamp::from_micros(10), 9).unwrap();
        assert_eq!(expired, [MetadataChange::Forget([1; 32], Timestamp::from_micros(10))]);
        let view = write(&store, &view, &[expired.as_slice(), &[MetadataChange::Settle]].concat());
        let again = recover(&store).unwrap();
        assert_eq!((again.head, &again.awaiting), (view.head, &None));
        assert_eq!(again.next_expiry, Some(Timestamp::from_micros(20)));
        assert_eq!(again.answer(&store, &[1; 32]).unwrap(), None);
    }

    #[test]
    fn an_answer_that_is_not_durable_yet_is_not_seen() {
        let store = MemStore::new();
        let before = Metadata::default();
        let after = write(&store, &before, &[MetadataChange::Keep(answer(1, 10))]);
        assert_eq!(before.answer(&store, &[1; 32]).unwrap(), None);
        assert!(after.answer(&store, &[1; 32]).unwrap().is_some());
    }

    // Holds the bytes of format 1, as do the tests in `layout`.
    #[test]
    fn entries_are_written_as_documented() {
        let store = MemStore::new();
        let keep = [MetadataChange::Keep(answer(2, 0x0102)), MetadataChange::TagSet(tag("a"))];
        write(&store, &Metadata::default(), &keep);
        let text = |key: &[u8]| {
            let value = store.get(key).unwrap().unwrap();
            String::from_utf8(value[32..].to_vec()).unwrap()
        };
        let expected = r#"{"sequence":1,"request":""#.to_owned()
            + &"07".repeat(32)
            + r#"","number":3,"changes":2,"expires":258,"confirm":{"commit_id":"#
            + r#""00000000-0000-0000-0000-000000000000","until":9}}"#;
        assert_eq!(text(&[b"k/".as_slice(), &[2; 32]].concat()), expected);
        assert_eq!(text(b"t/a"), r#"{"number":1,"time":5,"author":"me"}"#);
        let expiry = [b"e/\0\0\0\0\0\0\x01\x02".as_slice(), &[2; 32]].concat();
        assert_eq!(store.get(&expiry).unwrap(), Some(Vec::new()));
        assert_eq!(store.get(b"s").unwrap().unwrap().len(), MetadataHead::BYTES);
    }
}
