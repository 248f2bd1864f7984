//! The bytes of a store: keys, chain entries, and revision records as JSON.
//!
//! Two goals pull against each other. What is kept for years should be readable without this
//! program, so records and checkpoints are JSON with named members. What guards it must be exact
//! to the bit, so a chain entry is a fixed number of bytes and covers itself and the raw bytes of
//! the record: damage is found before anything is parsed.
//!
//! Bodies are JSON text already and are carried through as they are ([`RawValue`]), checked but
//! not taken apart, once on the way in and once on the way out.
//!
//! `docs/reference/store-format.md` describes all of this for people; keep it in step.

use std::borrow::Cow;
use std::io::Write;

use blake3::{Hash, Hasher};
use config_tree::{Body, Change, Key, NodePath, Reference, TreeDigest};
use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::StoreError;
use super::side::{ANSWER_PREFIX, AWAITING_KEY, EXPIRY_PREFIX, SIDE_KEY, TAG_PREFIX};
use crate::revision::{RevisionNumber, RevisionRecord, Timestamp};

/// The version of everything described here.
pub(super) const FORMAT: u32 = 1;

/// The longest value we ever write. sled keeps longer ones in files that it never syncs.
pub(super) const CHUNK_BYTES: usize = 4096;

/// What the first chain entry names as its predecessor.
pub(super) const GENESIS: Hash = Hash::from_bytes([0; 32]);

/// Holds the format version in decimal digits.
pub(super) const FORMAT_KEY: &[u8] = b"f";
/// Holds a copy of the newest chain entry.
pub(super) const HEAD_KEY: &[u8] = b"h";
/// Holds the number of the oldest record that is kept; absent while that is the first.
pub(super) const OLDEST_KEY: &[u8] = b"o";
/// Chain entries, in the order of their numbers.
pub(super) const CHAIN_PREFIX: &[u8] = b"c/";

pub(super) fn chain_key(number: RevisionNumber) -> Vec<u8> {
    [CHAIN_PREFIX, &number.get().to_be_bytes()].concat()
}

/// Before all chunks of all records.
pub(super) const RECORD_PREFIX: &[u8] = b"r/";

pub(super) fn record_prefix(number: RevisionNumber) -> Vec<u8> {
    [b"r/".as_slice(), &number.get().to_be_bytes(), b"/"].concat()
}

pub(super) fn chunk_key(number: RevisionNumber, chunk: u32) -> Vec<u8> {
    [record_prefix(number), chunk.to_be_bytes().to_vec()].concat()
}

pub(super) fn commit_key(commit_id: Uuid) -> Vec<u8> {
    [b"i/".as_slice(), commit_id.as_bytes()].concat()
}

/// A number on its own, as in the index of commit ids.
pub(super) fn number_value(number: RevisionNumber) -> [u8; 8] {
    number.get().to_be_bytes()
}

pub(super) fn parse_number(value: &[u8]) -> Option<RevisionNumber> {
    value.try_into().ok().map(|bytes| RevisionNumber::new(u64::from_be_bytes(bytes)))
}

/// What a key of ours is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum KeyKind {
    Single,
    Chain,
    Chunk(RevisionNumber),
    Commit,
    Side,
}

/// Says what a key is for; `None` when it is none of ours.
pub(super) fn kind_of(key: &[u8]) -> Option<KeyKind> {
    match key {
        b"f" | b"h" | b"o" => Some(KeyKind::Single),
        key if key == SIDE_KEY || key == AWAITING_KEY => Some(KeyKind::Side),
        key if [TAG_PREFIX, ANSWER_PREFIX, EXPIRY_PREFIX].iter().any(|p| key.starts_with(p)) => {
            Some(KeyKind::Side)
        }
        [b'c', b'/', number @ ..] if number.len() == 8 => Some(KeyKind::Chain),
        [b'i', b'/', id @ ..] if id.len() == 16 => Some(KeyKind::Commit),
        [b'r', b'/', rest @ ..] if rest.len() == 8 + 1 + 4 && rest[8] == b'/' => {
            parse_number(&rest[..8]).map(KeyKind::Chunk)
        }
        _ => None,
    }
}

// ===== chain entries =====

/// One link of the chain over all records; the newest is the head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ChainEntry {
    pub(super) number: RevisionNumber,
    pub(super) time: Timestamp,
    pub(super) commit_id: Uuid,
    pub(super) record_bytes: u64,
    pub(super) record_hash: Hash,
    pub(super) digest: TreeDigest,
    /// The `hash` of the entry before, [`GENESIS`] for the first.
    pub(super) previous: Hash,
    // Over all of the above, so that no field can change alone.
    hash: Hash,
}

impl ChainEntry {
    pub(super) const BYTES: usize = 4 + 8 + 8 + 16 + 8 + 4 + 4 * 32;

    pub(super) fn new(record: &RevisionRecord, encoded: &Encoded, previous: Hash) -> Self {
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

    pub(super) fn hash(&self) -> Hash {
        self.hash
    }

    pub(super) fn chunks(&self) -> u64 {
        self.record_bytes.div_ceil(CHUNK_BYTES as u64)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
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
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
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

// ===== bodies, shared by records and checkpoints =====

/// A body as it is stored: its text as it is, and the references it cannot tell itself.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredBody<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    refs: Vec<StoredReference<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredReference<'a> {
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    part: Option<Cow<'a, str>>,
}

impl<'a> StoredBody<'a> {
    /// Checks that the text is one JSON value and nothing beside it: what we could not read back
    /// must not get in.
    pub(super) fn of(body: &'a Body, path: &NodePath) -> Result<Self, String> {
        let text = body.text();
        let raw: &RawValue =
            serde_json::from_str(text).map_err(|error| format!("the body at {path}: {error}"))?;
        if raw.get().len() != text.len() || text.contains('\n') {
            return Err(format!("the body at {path}: it is not canonical"));
        }
        let refs = body.references().iter().map(|reference| {
            let Reference { pointer, target, fragment } = reference;
            StoredReference {
                at: Cow::Borrowed(pointer),
                to: Cow::Owned(target.to_string()),
                part: fragment.as_deref().map(Cow::Borrowed),
            }
        });
        Ok(Self { body: raw, refs: refs.collect() })
    }

    /// The body again. Its text is copied, so that one body does not keep a whole record alive.
    pub(super) fn into_body(self) -> Result<Body, String> {
        let Self { body, refs } = self;
        let references = refs.into_iter().map(|reference| {
            let StoredReference { at, to, part } = reference;
            let target = parse_path(&to)?;
            Ok(Reference { pointer: at.into_owned(), target, fragment: part.map(Cow::into_owned) })
        });
        let references: Vec<Reference> = references.collect::<Result<_, String>>()?;
        Ok(Body::from_text(body.get().as_bytes().to_vec().into(), references))
    }
}

pub(super) fn parse_path(text: &str) -> Result<NodePath, String> {
    NodePath::parse(text).map_err(|error| error.to_string())
}

// ===== records =====

/// `C` is [`Changes`] on the way in and a list of [`StoredChange`] on the way out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRecord<'a, C> {
    number: u64,
    time: i64,
    commit_id: Cow<'a, str>,
    #[serde(borrow)]
    author: Cow<'a, str>,
    #[serde(borrow)]
    session: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    digest: Cow<'a, str>,
    changes: C,
}

/// Changes that are turned into their stored form one at a time, as there may be a million.
struct Changes<'a>(&'a [Change]);

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for change in self.0 {
            list.serialize_element(&StoredChange::of(change).map_err(S::Error::custom)?)?;
        }
        list.end()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum StoredChange<'a> {
    Create {
        #[serde(borrow)]
        path: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rank: Option<u64>,
        #[serde(borrow)]
        after: StoredBody<'a>,
    },
    Replace {
        #[serde(borrow)]
        path: Cow<'a, str>,
        #[serde(borrow)]
        before: StoredBody<'a>,
        #[serde(borrow)]
        after: StoredBody<'a>,
    },
    Delete {
        #[serde(borrow)]
        path: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rank: Option<u64>,
        #[serde(borrow)]
        before: StoredBody<'a>,
    },
    Reorder {
        #[serde(borrow)]
        path: Cow<'a, str>,
        #[serde(borrow)]
        before: Vec<Cow<'a, str>>,
        #[serde(borrow)]
        after: Vec<Cow<'a, str>>,
    },
}

/// The text of a record, as it lies in the store.
pub(super) struct Encoded {
    /// Each of [`CHUNK_BYTES`] but for the last.
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) bytes: u64,
    pub(super) hash: Hash,
}

/// Writes a record, straight into its chunks: a large one should not stand in memory twice.
pub(super) fn encode_record(record: &RevisionRecord) -> Result<Encoded, StoreError> {
    let RevisionRecord { number, time, commit_id, author, session, message, changes, digest } =
        record;
    let stored = StoredRecord {
        number: number.get(),
        time: time.as_micros(),
        commit_id: Cow::Owned(commit_id.to_string()),
        author: Cow::Borrowed(author),
        session: Cow::Borrowed(session),
        message: message.as_deref().map(Cow::Borrowed),
        digest: Cow::Owned(digest.to_string()),
        changes: Changes(changes),
    };
    let mut chunker = Chunker { chunks: Vec::new() };
    serde_json::to_writer(&mut chunker, &stored)
        .map_err(|error| StoreError::refused(format!("revision {number}: {error}")))?;
    Ok(chunker.finish())
}

struct Chunker {
    chunks: Vec<Vec<u8>>,
}

impl Chunker {
    fn finish(self) -> Encoded {
        let mut hasher = Hasher::new();
        let mut bytes = 0;
        for chunk in &self.chunks {
            hasher.update(chunk);
            bytes += chunk.len() as u64;
        }
        Encoded { chunks: self.chunks, bytes, hash: hasher.finalize() }
    }
}

impl Write for Chunker {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_BYTES) {
            self.chunks.push(Vec::with_capacity(CHUNK_BYTES));
        }
        let Some(chunk) = self.chunks.last_mut() else { return Ok(0) };
        let count = bytes.len().min(CHUNK_BYTES - chunk.len());
        chunk.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is to be known of a record without its changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Heading {
    pub(super) author: String,
    pub(super) session: String,
    pub(super) message: Option<String>,
    pub(super) changes: usize,
}

/// Counts elements and keeps none of them.
struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counter;
        impl<'de> serde::de::Visitor<'de> for Counter {
            type Value = Count;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Count, A::Error> {
                let mut count = 0;
                while list.next_element::<serde::de::IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }
        deserializer.deserialize_seq(Counter)
    }
}

/// Reads what [`encode_record`] wrote, but for the changes.
pub(super) fn decode_heading(raw: &[u8]) -> Result<Heading, String> {
    let stored: StoredRecord<'_, Count> =
        serde_json::from_slice(raw).map_err(|error| error.to_string())?;
    Ok(Heading {
        author: stored.author.into_owned(),
        session: stored.session.into_owned(),
        message: stored.message.map(Cow::into_owned),
        changes: stored.changes.0,
    })
}

/// Reads what [`encode_record`] wrote, and says what is wrong where it cannot.
pub(super) fn decode_record(raw: &[u8]) -> Result<RevisionRecord, String> {
    let stored: StoredRecord<'_, Vec<StoredChange<'_>>> =
        serde_json::from_slice(raw).map_err(|error| error.to_string())?;
    let StoredRecord { number, time, commit_id, author, session, message, digest, changes } =
        stored;
    Ok(RevisionRecord {
        number: RevisionNumber::new(number),
        time: Timestamp::from_micros(time),
        commit_id: Uuid::parse_str(&commit_id).map_err(|error| error.to_string())?,
        author: author.into_owned(),
        session: session.into_owned(),
        message: message.map(Cow::into_owned),
        digest: TreeDigest::from_hex(&digest).ok_or("the digest is no digest")?,
        changes: changes.into_iter().map(StoredChange::into_change).collect::<Result<_, _>>()?,
    })
}

impl<'a> StoredChange<'a> {
    fn of(change: &'a Change) -> Result<Self, String> {
        let text = |path: &NodePath| Cow::Owned(path.to_string());
        Ok(match change {
            Change::Create { path, rank, after } => {
                Self::Create { path: text(path), rank: *rank, after: StoredBody::of(after, path)? }
            }
            Change::Replace { path, before, after } => Self::Replace {
                path: text(path),
                before: StoredBody::of(before, path)?,
                after: StoredBody::of(after, path)?,
            },
            Change::Delete { path, rank, before } => Self::Delete {
                path: text(path),
                rank: *rank,
                before: StoredBody::of(before, path)?,
            },
            Change::Reorder { path, before, after } => Self::Reorder {
                path: text(path),
                before: before.iter().map(|key| Cow::Borrowed(key.as_str())).collect(),
                after: after.iter().map(|key| Cow::Borrowed(key.as_str())).collect(),
            },
        })
    }

    fn into_change(self) -> Result<Change, String> {
        Ok(match self {
            Self::Create { path, rank, after } => {
                Change::Create { path: parse_path(&path)?, rank, after: after.into_body()? }
            }
            Self::Replace { path, before, after } => Change::Replace {
                path: parse_path(&path)?,
                before: before.into_body()?,
                after: after.into_body()?,
            },
            Self::Delete { path, rank, before } => {
                Change::Delete { path: parse_path(&path)?, rank, before: before.into_body()? }
            }
            Self::Reorder { path, before, after } => Change::Reorder {
                path: parse_path(&path)?,
                before: parse_keys(&before)?,
                after: parse_keys(&after)?,
            },
        })
    }
}

fn parse_keys(texts: &[Cow<'_, str>]) -> Result<Vec<Key>, String> {
    texts.iter().map(|text| Key::parse(text).map_err(|error| error.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_path() -> impl Strategy<Value = NodePath> {
        prop::collection::vec("[^/@\\p{C}][^/\\p{C}]{0,9}", 1..5)
            .prop_filter_map("a path", |keys| {
                NodePath::from_segments(keys.iter().map(String::as_str)).ok()
            })
    }

    fn any_body() -> impl Strategy<Value = Body> {
        let value = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
            prop::collection::btree_map(".{0,5}", ".{0,9}", 0..4).prop_map(|map| {
                map.into_iter().map(|(name, text)| (name, serde_json::Value::from(text))).collect()
            }),
        ];
        let reference = (".{0,9}", any_path(), prop::option::of(".{0,9}"))
            .prop_map(|(pointer, target, fragment)| Reference { pointer, target, fragment });
        (value, prop::collection::vec(reference, 0..3))
            .prop_map(|(value, references)| Body::new(&value, references))
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let rank = || any::<Option<u64>>();
        let keys = || {
            prop::collection::vec("[a-z]{1,9}", 0..4).prop_map(|keys| {
                keys.iter().map(|key| Key::parse(key).unwrap()).collect::<Vec<_>>()
            })
        };
        prop_oneof![
            (any_path(), rank(), any_body()).prop_map(|(path, rank, after)| Change::Create {
                path,
                rank,
                after
            }),
            (any_path(), any_body(), any_body())
                .prop_map(|(path, before, after)| Change::Replace { path, before, after }),
            (any_path(), rank(), any_body()).prop_map(|(path, rank, before)| Change::Delete {
                path,
                rank,
                before
            }),
            (any_path(), keys(), keys()).prop_map(|(path, before, after)| Change::Reorder {
                path,
                before,
                after
            }),
        ]
    }

    fn any_record() -> impl Strategy<Value = RevisionRecord> {
        let names = (".*", ".*", prop::option::of(".*"));
        let changes = prop::collection::vec(any_change(), 0..6);
        (any::<(u64, i64, u128, [u8; 32])>(), names, changes).prop_map(
            |((number, time, id, digest), (author, session, message), changes)| RevisionRecord {
                number: RevisionNumber::new(number),
                time: Timestamp::from_micros(time),
                commit_id: Uuid::from_u128(id),
                author,
                session,
                message,
                changes,
                digest: TreeDigest::from_hex(&Hash::from_bytes(digest).to_hex()).unwrap(),
            },
        )
    }

    fn text_of(record: &RevisionRecord) -> Vec<u8> {
        let Encoded { chunks, bytes, hash } = encode_record(record).unwrap();
        assert!(chunks.iter().rev().skip(1).all(|chunk| chunk.len() == CHUNK_BYTES));
        let text = chunks.concat();
        assert_eq!((text.len() as u64, blake3::hash(&text)), (bytes, hash));
        text
    }

    fn sample() -> RevisionRecord {
        let path = |text: &str| NodePath::parse(text).unwrap();
        let reference = |fragment: Option<&str>| Reference {
            pointer: "/password".into(),
            target: path("/passwords/p1"),
            fragment: fragment.map(Into::into),
        };
        let body = |text: &'static str, references| Body::from_text(text.into(), references);
        let key = |text: &str| Key::parse(text).unwrap();
        RevisionRecord {
            number: RevisionNumber::new(7),
            time: Timestamp::from_micros(1_700_000_000_000_001),
            commit_id: Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            author: "admin".into(),
            session: "s1".into(),
            message: None,
            changes: vec![
                Change::Create { path: path("/c/a"), rank: Some(3), after: body("1", vec![]) },
                Change::Replace {
                    path: path("/o"),
                    before: body("null", vec![]),
                    after: body(
                        r#"{"password":"p1"}"#,
                        vec![reference(None), reference(Some("/x"))],
                    ),
                },
                Change::Delete { path: path("/f/ü\""), rank: None, before: body("[]", vec![]) },
                Change::Reorder {
                    path: path("/c"),
                    before: vec![key("a"), key("b")],
                    after: vec![key("b"), key("a")],
                },
            ],
            digest: TreeDigest::default(),
        }
    }

    // These two hold the bytes of format 1. When one fails, stores of the past become unreadable:
    // count the format up and read both.
    #[test]
    fn a_record_is_written_as_documented() {
        let expected = r#"{"number":7,"time":1700000000000001,"#.to_owned()
            + r#""commit_id":"01234567-89ab-cdef-0123-456789abcdef","author":"admin","#
            + r#""session":"s1","message":null,"digest":""#
            + &"0".repeat(64)
            + r#"","changes":["#
            + r#"{"create":{"path":"/c/a","rank":3,"after":{"body":1}}},"#
            + r#"{"replace":{"path":"/o","before":{"body":null},"#
            + r#""after":{"body":{"password":"p1"},"refs":["#
            + r#"{"at":"/password","to":"/passwords/p1"},"#
            + r#"{"at":"/password","to":"/passwords/p1","part":"/x"}]}}},"#
            + r#"{"delete":{"path":"/f/ü\"","before":{"body":[]}}},"#
            + r#"{"reorder":{"path":"/c","before":["a","b"],"after":["b","a"]}}]}"#;
        assert_eq!(String::from_utf8(text_of(&sample())).unwrap(), expected);
    }

    #[test]
    fn keys_and_chain_entries_are_written_as_documented() {
        let number = RevisionNumber::new(0x0102);
        assert_eq!(chain_key(number), b"c/\0\0\0\0\0\0\x01\x02");
        assert_eq!(chunk_key(number, 3), b"r/\0\0\0\0\0\0\x01\x02/\0\0\0\x03");
        assert_eq!(commit_key(Uuid::from_u128(1))[..4], *b"i/\0\0");

        let raw = text_of(&sample());
        let encoded = encode_record(&sample()).unwrap();
        let bytes = ChainEntry::new(&sample(), &encoded, GENESIS).to_bytes();
        assert_eq!(bytes.len(), 176);
        let head = b"\0\0\0\x01\0\0\0\0\0\0\0\x07\0\x06\x0a\x24\x18\x1e\x40\x01";
        assert_eq!(bytes[..20], *head, "format, number, time");
        assert_eq!(bytes[20..36], *sample().commit_id.as_bytes());
        assert_eq!(bytes[36..44], (raw.len() as u64).to_be_bytes());
        assert_eq!(bytes[44..48], [0, 0, 0, 1], "chunks");
        assert_eq!(bytes[48..80], *blake3::hash(&raw).as_bytes());
        assert_eq!(bytes[80..144], [0; 64], "digest, previous");
        assert_eq!(bytes[144..], *blake3::hash(&bytes[..144]).as_bytes());
    }

    #[test]
    fn every_key_of_ours_is_recognised_and_no_other() {
        let number = RevisionNumber::new(u64::MAX);
        assert_eq!(kind_of(&chain_key(number)), Some(KeyKind::Chain));
        assert_eq!(kind_of(&chunk_key(number, 9)), Some(KeyKind::Chunk(number)));
        assert_eq!(kind_of(&commit_key(Uuid::nil())), Some(KeyKind::Commit));
        for key in [FORMAT_KEY, HEAD_KEY, OLDEST_KEY] {
            assert_eq!(kind_of(key), Some(KeyKind::Single));
        }
        for key in [b"s".as_slice(), b"w", b"t/a", b"k/a", b"e/a"] {
            assert_eq!(kind_of(key), Some(KeyKind::Side));
        }
        for key in [b"".as_slice(), b"g", b"c/", b"c/1234567", b"r/12345678x1234", b"i/1"] {
            assert_eq!(kind_of(key), None);
        }
    }

    #[test]
    fn no_bit_of_a_chain_entry_may_differ() {
        let encoded = encode_record(&sample()).unwrap();
        let bytes = ChainEntry::new(&sample(), &encoded, GENESIS).to_bytes();
        assert_eq!(ChainEntry::parse(&bytes).unwrap().to_bytes(), bytes);
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ChainEntry::parse(&bytes), None, "bit {bit}");
        }
        assert_eq!(ChainEntry::parse(&bytes[1..]), None);
    }

    proptest! {
        #[test]
        fn a_record_reads_back_as_it_was(record in any_record()) {
            let raw = text_of(&record);
            let heading = decode_heading(&raw).unwrap();
            prop_assert_eq!(heading.changes, record.changes.len());
            prop_assert_eq!((&heading.author, &heading.message), (&record.author, &record.message));
            prop_assert_eq!(decode_record(&raw).unwrap(), record);
        }

        #[test]
        fn a_chain_entry_reads_back_as_it_was(record in any_record(), previous: [u8; 32]) {
            let encoded = encode_record(&record).unwrap();
            let entry = ChainEntry::new(&record, &encoded, Hash::from_bytes(previous));
            prop_assert_eq!(ChainEntry::parse(&entry.to_bytes()), Some(entry));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(
            record in any_record(),
            place: prop::sample::Index,
            byte: u8,
            noise: Vec<u8>,
        ) {
            let mut raw = text_of(&record);
            let place = place.index(raw.len());
            raw[place] = byte;
            let _ = decode_record(&raw);
            let _ = decode_record(&raw[..place]);
            let _ = decode_record(&noise);
            let _ = ChainEntry::parse(&noise);
            let _ = kind_of(&noise);
        }
    }
}
