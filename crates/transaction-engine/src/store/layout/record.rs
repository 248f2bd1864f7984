//! Records and bodies as JSON text.

use std::borrow::Cow;
use std::io::Write;

use blake3::{Hash, Hasher};
use config_tree::{Body, Change, Key, NodePath, Reference, TreeDigest};
use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::keys::CHUNK_BYTES;
use crate::store::StoreError;
use crate::store::revision::{RevisionNumber, RevisionRecord, Timestamp};

// ===== bodies, shared by records and checkpoints =====

/// A body as it is stored: its text as it is, and the references it cannot tell itself.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredBody<'a> {
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
    /// Checks that the text is one JSON value and nothing else: what we could not read back
    /// must not get in.
    pub(crate) fn of(body: &'a Body, path: &NodePath) -> Result<Self, String> {
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
    pub(crate) fn into_body(self) -> Result<Body, String> {
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

pub(crate) fn parse_path(text: &str) -> Result<NodePath, String> {
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
pub(crate) struct Encoded {
    /// Each of [`CHUNK_BYTES`] but for the last.
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) bytes: u64,
    pub(crate) hash: Hash,
}

/// Writes a record, straight into its chunks: a large one should not stand in memory twice.
pub(crate) fn encode_record(record: &RevisionRecord) -> Result<Encoded, StoreError> {
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
pub(crate) struct Heading {
    pub(crate) author: String,
    pub(crate) session: String,
    pub(crate) message: Option<String>,
    pub(crate) changes: usize,
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
pub(crate) fn decode_heading(raw: &[u8]) -> Result<Heading, String> {
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
pub(crate) fn decode_record(raw: &[u8]) -> Result<RevisionRecord, String> {
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
        digest: TreeDigest::from_hex(&digest).ok_or("the digest is not a digest")?,
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
