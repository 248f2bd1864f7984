//! One number for the content of a whole tree, kept up to date at the cost of a change.
//!
//! Every body, and every "this member follows that one", contributes one term: a BLAKE3 hash of
//! what it says and where. The digest is the sum of the terms, lane by lane, so adding or removing
//! one costs one hash whatever the size of the tree, and neither the order of changes nor the
//! places left by deleted members matter. Folders contribute nothing: they belong to the schema.
//!
//! A sum of hashes finds damage and mistakes. It is not a proof against an attacker who may choose a
//! million bodies to forge a sum; the chain of hashes over revision records is there for that.

use std::fmt;

use crate::body::Body;
use crate::path::{Key, NodePath};

/// The sum of the terms of a tree. Equal trees have equal digests.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct TreeDigest([u64; 4]);

impl TreeDigest {
    /// The digest as 32 bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, lane) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&lane.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`TreeDigest`] displays: 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut lanes = [0; 4];
        for (index, lane) in lanes.iter_mut().enumerate() {
            let digits = &text[index * 16..(index + 1) * 16];
            *lane = u64::from_str_radix(digits, 16).ok()?.swap_bytes();
        }
        Some(Self(lanes))
    }

    pub(crate) fn add_body(&mut self, path: &NodePath, body: &Body) {
        self.add(body_term(path.segments(), body));
    }

    /// The same for a member, whose path need not be built for it.
    pub(crate) fn add_member(&mut self, collection: &NodePath, key: &Key, body: &Body) {
        self.add(body_term(collection.segments().iter().chain([key]), body));
    }

    pub(crate) fn add_digest(&mut self, part: Self) {
        self.add(part.0);
    }

    pub(crate) fn remove_body(&mut self, path: &NodePath, body: &Body) {
        self.subtract(body_term(path.segments(), body));
    }

    pub(crate) fn add_link(&mut self, path: &NodePath, previous: Option<&Key>, key: &Key) {
        self.add(link_term(path, previous, key));
    }

    pub(crate) fn remove_link(&mut self, path: &NodePath, previous: Option<&Key>, key: &Key) {
        self.subtract(link_term(path, previous, key));
    }

    fn add(&mut self, term: [u64; 4]) {
        self.0.iter_mut().zip(term).for_each(|(lane, t)| *lane = lane.wrapping_add(t));
    }

    fn subtract(&mut self, term: [u64; 4]) {
        self.0.iter_mut().zip(term).for_each(|(lane, t)| *lane = lane.wrapping_sub(t));
    }
}

fn body_term<'a>(path: impl IntoIterator<Item = &'a Key>, body: &Body) -> [u64; 4] {
    let mut hasher = path_hasher(b'b', path);
    hasher.update(body.bytes());
    for reference in body.references() {
        // The text holds only a bare key; the reference says of what.
        hasher.update(&[0]);
        hasher.update(reference.pointer.as_bytes());
        hasher.update(&[0]);
        hasher.update(reference.target.to_string().as_bytes());
        hasher.update(&[0]);
        hasher.update(reference.fragment.as_deref().unwrap_or("").as_bytes());
    }
    lanes(&hasher)
}

fn link_term(path: &NodePath, previous: Option<&Key>, key: &Key) -> [u64; 4] {
    let mut hasher = path_hasher(b'l', path.segments());
    hasher.update(previous.map_or("", Key::as_str).as_bytes());
    hasher.update(&[0]);
    hasher.update(key.as_str().as_bytes());
    lanes(&hasher)
}

// Keys hold no control characters, so NUL separates without doubt.
fn path_hasher<'a>(tag: u8, path: impl IntoIterator<Item = &'a Key>) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[tag]);
    for key in path {
        hasher.update(key.as_str().as_bytes());
        hasher.update(&[0]);
    }
    hasher.update(&[0]);
    hasher
}

fn lanes(hasher: &blake3::Hasher) -> [u64; 4] {
    let hash = hasher.finalize();
    let mut lanes = [0; 4];
    for (lane, chunk) in lanes.iter_mut().zip(hash.as_bytes().chunks_exact(8)) {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        *lane = u64::from_le_bytes(word);
    }
    lanes
}

impl fmt::Display for TreeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TreeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeDigest({self})")
    }
}
