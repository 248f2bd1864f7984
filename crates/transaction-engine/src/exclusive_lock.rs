//! Who may have a transaction open: one session at a time, or all of them.

use parking_lot::Mutex;

use crate::revision::Timestamp;
use crate::session_id::SessionId;

/// How transactions of several sessions get along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One open transaction at a time, opened explicitly (SPS up to 6.8).
    Exclusive,
    /// Any number; the first accepted change opens one by itself (SPS 6.9 and later).
    Concurrent,
    /// Each request is a transaction of its own ([`crate::Engine::autocommit`]); sessions that open
    /// one all the same get along as in [`Mode::Concurrent`].
    Autocommit,
}

/// Who holds the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Which session.
    pub session: SessionId,
    /// Whose session.
    pub user: String,
    /// When its transaction opened.
    pub since: Timestamp,
}

/// Hands out the right to have a transaction open.
pub(crate) struct ExclusiveLock {
    mode: Mode,
    // Always `None` outside exclusive mode.
    holder: Mutex<Option<Holder>>,
}

impl ExclusiveLock {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, holder: Mutex::new(None) }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn holder(&self) -> Option<Holder> {
        self.holder.lock().clone()
    }

    /// Takes the right for a session, or says who has it.
    pub(crate) fn acquire(
        &self,
        session: SessionId,
        user: &str,
        now: Timestamp,
    ) -> Result<(), Holder> {
        if self.mode != Mode::Exclusive {
            return Ok(());
        }
        let mut holder = self.holder.lock();
        match &*holder {
            Some(other) if other.session != session => Err(other.clone()),
            _ => {
                *holder = Some(Holder { session, user: user.to_owned(), since: now });
                Ok(())
            }
        }
    }

    /// Gives the right back; does nothing for a session that does not have it.
    pub(crate) fn release(&self, session: SessionId) {
        let mut holder = self.holder.lock();
        if holder.as_ref().is_some_and(|holder| holder.session == session) {
            *holder = None;
        }
    }
}
