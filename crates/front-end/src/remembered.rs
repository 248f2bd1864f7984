//! Credentials that were right a moment ago, for APIs that send a password with every request.
//!
//! A password hash takes 30 ms on purpose. Only a keyed hash of the name and the password is kept,
//! with a key that is generated for each process, in memory, for a short time: a dump of the
//! process gives away neither. When a password changes everything is forgotten, and a check that
//! began before the change is not remembered when it ends.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use transaction_engine::Timestamp;

use crate::credentials::Credentials;

/// How long credentials are remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The number of credentials that are remembered at most. Few are right.
const MOST: usize = 1_024;

/// Credentials that were right a moment ago.
#[derive(Default)]
pub(crate) struct Remembered {
    key: OnceLock<Option<[u8; 32]>>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// How often everything was forgotten.
    era: u64,
    until: HashMap<[u8; 32], Timestamp>,
}

impl Remembered {
    /// Whether these were right a moment ago.
    pub(crate) fn knows(&self, credentials: &Credentials, now: Timestamp) -> bool {
        let Some(hash) = self.hash(credentials) else { return false };
        // A clock that was set back does not lengthen the time.
        let is_kept = |until: &Timestamp| now < *until && *until <= now.plus(REMEMBERED);
        self.table.lock().until.get(&hash).is_some_and(is_kept)
    }

    /// To be asked before a check begins, for [`Remembered::keep`].
    pub(crate) fn era(&self) -> u64 {
        self.table.lock().era
    }

    /// Remembers credentials that were right in an era. They may be wrong by now if it is over.
    pub(crate) fn keep(&self, credentials: &Credentials, now: Timestamp, checked_in: u64) {
        let Some(hash) = self.hash(credentials) else { return };
        let mut table = self.table.lock();
        if table.era != checked_in {
            return;
        }
        let until = &mut table.until;
        if until.len() >= MOST {
            until.retain(|_, until| now < *until);
        }
        if until.len() < MOST {
            until.insert(hash, now.plus(REMEMBERED));
        }
    }

    /// Forgets everything, when a password has changed.
    pub(crate) fn clear(&self) {
        let mut table = self.table.lock();
        table.era += 1;
        table.until.clear();
    }

    fn hash(&self, credentials: &Credentials) -> Option<[u8; 32]> {
        // Without random bytes nothing is remembered.
        let made = self.key.get_or_init(|| {
            let mut key = [0; 32];
            getrandom::fill(&mut key).ok().map(|()| key)
        });
        let mut hasher = blake3::Hasher::new_keyed(made.as_ref()?);
        hasher.update(&credentials.user.len().to_le_bytes());
        hasher.update(credentials.user.as_bytes()).update(credentials.password.as_bytes());
        Some(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) }
    }

    #[test]
    fn right_credentials_are_known_for_a_short_time_and_no_others() {
        let (remembered, now) = (Remembered::default(), Timestamp::from_micros(1_000_000));
        let right = credentials("admin", "secret");
        assert!(!remembered.knows(&right, now));
        remembered.keep(&right, now, remembered.era());
        assert!(remembered.knows(&right, now));
        for wrong in [("admin", "secret "), ("admins", "ecret"), ("", "adminsecret")] {
            assert!(!remembered.knows(&credentials(wrong.0, wrong.1), now));
        }
        assert!(!remembered.knows(&right, now.plus(REMEMBERED)));
        assert!(!remembered.knows(&right, Timestamp::from_micros(0)));
        remembered.clear();
        assert!(!remembered.knows(&right, now));
    }

    #[test]
    fn a_check_that_a_change_overtook_is_not_remembered() {
        let (remembered, now) = (Remembered::default(), Timestamp::from_micros(0));
        let old = credentials("admin", "old");
        let began = remembered.era();
        remembered.clear();
        remembered.keep(&old, now, began);
        assert!(!remembered.knows(&old, now));
        let new = credentials("admin", "new");
        remembered.keep(&new, now, remembered.era());
        assert!(remembered.knows(&new, now));
    }

    #[test]
    fn a_full_table_takes_nothing_more_until_entries_are_over() {
        let (remembered, now) = (Remembered::default(), Timestamp::from_micros(0));
        for n in 0..=MOST {
            remembered.keep(&credentials("admin", &n.to_string()), now, 0);
        }
        let last = credentials("admin", &MOST.to_string());
        assert!(!remembered.knows(&last, now));
        let later = now.plus(REMEMBERED);
        remembered.keep(&last, later, 0);
        assert!(remembered.knows(&last, later));
    }
}
