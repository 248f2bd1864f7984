//! A request that is sent twice and done once.
//!
//! A client whose answer was lost cannot know whether its commit happened. It sends the request
//! again under the same key, and gets the answer of the first time. For a commit the answer is in
//! the same batch as the revision, so there is no moment at which one is durable and the other is
//! not; it is kept for a time, across restarts (docs/adr/0011). For what is only staged, memory is
//! enough: it goes with the transaction that it is about.

use std::fmt;

use config_tree::NodePath;

use crate::commit::Committed;
use crate::confirm::Confirmation;
use crate::engine::Shared;
use crate::error::Error;
use crate::revision::RevisionNumber;
use crate::store::{Answer, SideChange, Slot};

/// By what a request is recognised: its sender's key, and what it asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Idempotency {
    key: String,
    request: [u8; 32],
}

impl Idempotency {
    /// The longest key in bytes.
    pub const MAX_BYTES: usize = 255;

    /// A key, and a hash of everything in the request that matters. `None` for a key that is empty,
    /// too long or has control characters.
    #[must_use]
    pub fn new(key: &str, request: [u8; 32]) -> Option<Self> {
        let fits = !key.is_empty() && key.len() <= Self::MAX_BYTES;
        let plain = !key.contains(char::is_control);
        (fits && plain).then(|| Self { key: key.to_owned(), request })
    }

    // Users do not share keys.
    pub(crate) fn slot(&self, user: &str) -> Slot {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(user.len() as u64).to_be_bytes());
        hasher.update(user.as_bytes()).update(self.key.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

impl fmt::Debug for Idempotency {
    // A key is the client's own, and may say something about what is in the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Idempotency({} bytes)", self.key.len())
    }
}

impl Shared {
    /// What a commit under this key was answered, if there was one.
    pub(crate) fn answered(
        &self,
        user: &str,
        idempotency: &Idempotency,
    ) -> Result<Option<Committed>, Error> {
        let Some(answer) = self.log.answer(&idempotency.slot(user))? else { return Ok(None) };
        if answer.expires <= self.clock.now() {
            return Ok(None);
        }
        if answer.request != idempotency.request {
            return Err(Error::IdempotencyMismatch);
        }
        let confirmation = answer.confirm.map(|(commit_id, until)| Confirmation {
            token: self.sealer.token(commit_id).into(),
            until,
        });
        let changes = usize::try_from(answer.changes).unwrap_or(usize::MAX);
        Ok(Some(Committed { number: answer.number, changes, confirmation }))
    }

    /// The answer of a commit, to be kept.
    pub(crate) fn keep_answer(
        &self,
        user: &str,
        idempotency: &Idempotency,
        committed: &Committed,
        commit_id: uuid::Uuid,
    ) -> SideChange {
        let until = committed.confirmation.as_ref().map(|confirmation| confirmation.until);
        SideChange::Keep(Answer {
            slot: idempotency.slot(user),
            request: idempotency.request,
            number: committed.number,
            changes: committed.changes as u64,
            confirm: until.map(|until| (commit_id, until)),
            expires: self.clock.now().plus(self.history.answers),
        })
    }
}

/// What a transaction created under a key: members, or the lists that got an element.
#[derive(Clone, Default)]
pub(crate) struct Created(std::collections::BTreeMap<Slot, ([u8; 32], NodePath)>);

impl Created {
    /// What was created under this key.
    pub(crate) fn find(&self, idempotency: &Idempotency) -> Result<Option<&NodePath>, Error> {
        match self.0.get(&idempotency.slot("")) {
            Some((request, _)) if *request != idempotency.request => {
                Err(Error::IdempotencyMismatch)
            }
            found => Ok(found.map(|(_, path)| path)),
        }
    }

    pub(crate) fn keep(&mut self, idempotency: &Idempotency, path: NodePath) {
        self.0.insert(idempotency.slot(""), (idempotency.request, path));
    }
}

/// A commit that changed nothing: the revision that held its state already.
pub(crate) fn unchanged(number: RevisionNumber) -> Committed {
    Committed { number, changes: 0, confirmation: None }
}
