//! The name of a session, as locks, records and logs show it.

use std::fmt;

use uuid::Uuid;

/// Names a session in locks, records and logs. It is not a credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionId(Uuid);

impl SessionId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for SessionId {
    // The first group identifies a session well enough for a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; uuid::fmt::Simple::LENGTH];
        f.write_str(&self.0.simple().encode_lower(&mut text)[..8])
    }
}
