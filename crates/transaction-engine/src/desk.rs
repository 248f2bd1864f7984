//! Who may have a transaction open: one session at a time, or everybody.

use parking_lot::Mutex;

use crate::error::Error;
use crate::revision::Timestamp;
use crate::session::{Session, SessionId};

/// How transactions of several sessions get along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One open transaction at a time, opened explicitly (SPS up to 6.8).
    Exclusive,
    /// Any number; the first accepted change opens one by itself (SPS 6.9 and later).
    Concurrent,
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
pub(crate) struct Desk {
    mode: Mode,
    // Always `None` in concurrent mode.
    holder: Mutex<Option<Holder>>,
}

impl Desk {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, holder: Mutex::new(None) }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn holder(&self) -> Option<Holder> {
        self.holder.lock().clone()
    }

    pub(crate) fn acquire(&self, session: &Session, now: Timestamp) -> Result<(), Error> {
        if self.mode == Mode::Concurrent {
            return Ok(());
        }
        let mut holder = self.holder.lock();
        match &*holder {
            Some(other) if other.session != session.id() => Err(Error::Held(other.clone())),
            _ => {
                let user = session.user().to_owned();
                *holder = Some(Holder { session: session.id(), user, since: now });
                Ok(())
            }
        }
    }

    /// Gives the right back; does nothing for a session that does not have it.
    pub(crate) fn release(&self, session: &Session) {
        let mut holder = self.holder.lock();
        if holder.as_ref().is_some_and(|holder| holder.session == session.id()) {
            *holder = None;
        }
    }
}
