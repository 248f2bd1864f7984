//! `boxwood` as a client: commands that ask a running daemon, by Boxwood's own API and nothing else.
//!
//! A crate of its own that depends on no other of this workspace: what a client knows of the daemon
//! is what any program can know, the API.
//!
//! Reading order: [`Ask`] has the commands; `command` carries one out; `connection` sends its
//! requests; `context` remembers where, and as whom; `output` shows the answers.

mod command;
mod connection;
mod context;
mod error;
pub mod http;
mod options;
mod output;
mod place;
mod value;

pub use command::run;
pub use error::{AskError, ExitStatus};
pub use options::{Ask, Connect};
pub use place::encoded;

use std::ffi::OsString;

/// The whole environment.
pub type Environment = Vec<(OsString, OsString)>;

/// The variables that these commands read, next to `BOXWOOD_PASSWORD`. A daemon passes them over.
pub const VARIABLES: [&str; 7] = [
    "BOXWOOD_CA",
    "BOXWOOD_CONTEXT",
    "BOXWOOD_CONTEXTS",
    "BOXWOOD_TOKEN",
    "BOXWOOD_URL",
    "BOXWOOD_USER",
    "BOXWOOD_WORLD",
];
