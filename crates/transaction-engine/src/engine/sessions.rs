//! The verbs about sessions.

use std::sync::Arc;

use crate::engine::Engine;
use crate::exclusive_lock::Holder;
use crate::session::{Session, State};

impl Engine {
    /// A session for a user who has proved to be one.
    #[must_use]
    pub fn session_open(&self, user: &str) -> Arc<Session> {
        Arc::new(Session::new(user))
    }

    /// Ends a session: its transaction is rolled back, its lock released.
    pub fn session_end(&self, session: &Session) {
        let mut state = session.state.lock();
        if let State::Committing { ended, .. } = &mut *state {
            // The writer releases the lock when it is done with the transaction.
            *ended = true;
            return;
        }
        *state = State::Ended;
        drop(state);
        self.shared.exclusive_lock.release(session.id());
    }

    /// Who holds the configuration, in exclusive mode.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        self.shared.exclusive_lock.holder()
    }
}
