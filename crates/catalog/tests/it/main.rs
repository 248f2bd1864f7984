//! The crate from outside: what its callers rely on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod faults;
mod follow_ups;
mod language;
mod references;
mod sps_6_2;
mod support;
mod words;
