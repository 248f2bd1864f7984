//! A caller with at most one transaction of its own.
//!
//! The engine knows a session by a number, a user's name and its transaction. Tokens, passwords
//! and idle time are the front end's business. Each session has a lock of its own, so sessions
//! never wait for each other except to commit.

use std::fmt;

use config_tree::Tree;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::transaction::OpenTransaction;

/// Names a session in locks, records and logs. It is no credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionId(Uuid);

impl fmt::Display for SessionId {
    // The first group identifies a session well enough for a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; uuid::fmt::Simple::LENGTH];
        f.write_str(&self.0.simple().encode_lower(&mut text)[..8])
    }
}

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
    Committing { view: Tree, ended: bool },
    /// Nothing is possible any more.
    Ended,
}

impl Session {
    pub(crate) fn new(user: &str) -> Self {
        let id = SessionId(Uuid::new_v4());
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
