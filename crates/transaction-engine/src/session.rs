//! A caller with at most one transaction of its own.
//!
//! The engine knows a session by a number, a user's name and its transaction. Tokens, passwords
//! and idle time are the front end's business. Each session has a lock of its own, so sessions
//! never wait for each other except to commit.

use std::fmt;

use config_tree::Tree;
use parking_lot::Mutex;

use crate::error::Error;
use crate::revision::{RevisionNumber, Timestamp};
use crate::session_id::SessionId;
use crate::transaction::OpenTransaction;

/// One caller. Made by [`crate::Engine::session_open`].
pub struct Session {
    id: SessionId,
    user: String,
    pub(crate) state: Mutex<State>,
}

pub(crate) enum State {
    /// Sees `running`.
    Closed,
    /// Sees its own tree.
    Open(Box<OpenTransaction>),
    /// The writer has the transaction; the session sees what it was. `ended` when the session
    /// ended meanwhile: then nothing is handed back.
    Committing { view: Tree, base: RevisionNumber, since: Timestamp, ended: bool },
    /// Nothing is possible any more.
    Ended,
}

impl State {
    /// The open transaction.
    pub(crate) fn open(&self) -> Result<&OpenTransaction, Error> {
        match self {
            Self::Open(transaction) => Ok(transaction),
            other => Err(other.refusal()),
        }
    }

    /// The open transaction, to change it.
    pub(crate) fn open_mut(&mut self) -> Result<&mut OpenTransaction, Error> {
        match self {
            Self::Open(transaction) => Ok(transaction),
            other => Err(other.refusal()),
        }
    }

    /// Takes the open transaction out, to be committed; the session sees what it was meanwhile.
    pub(crate) fn take_open(&mut self) -> Result<Box<OpenTransaction>, Error> {
        let open = self.open()?;
        let (view, base, since) = (open.tree().clone(), open.base.number, open.opened);
        match std::mem::replace(self, Self::Committing { view, base, since, ended: false }) {
            Self::Open(transaction) => Ok(transaction),
            _ => Err(Error::Internal("an open transaction was not open")),
        }
    }

    // Why there is no open transaction.
    fn refusal(&self) -> Error {
        match self {
            Self::Open(_) => Error::Internal("an open transaction was not open"),
            Self::Closed => Error::NoTransaction,
            Self::Committing { .. } => Error::Committing,
            Self::Ended => Error::SessionEnded,
        }
    }
}

impl Session {
    pub(crate) fn new(user: &str) -> Self {
        let id = SessionId::random();
        Self { id, user: user.to_owned(), state: Mutex::new(State::Closed) }
    }

    /// The session's name in locks, records and logs.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The user who logged in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl Session {
    /// Whether nothing is possible in it any more.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(&*self.state.lock(), State::Ended | State::Committing { ended: true, .. })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({} of {})", self.id, self.user)
    }
}
