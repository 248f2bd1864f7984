//! Transactions over a configuration tree: open, stage, review, commit durably, or roll back.
//!
//! The engine is synchronous and knows neither HTTP nor a runtime; time, storage and secrets are
//! handed in, so a whole scenario runs in a unit test. Its verbs ([`Engine`]) are the ones that
//! every layer above uses by the same names: `node_put`, `transaction_commit`.
//!
//! The order of a commit is the reason for most of what is here: **durable, then visible, then
//! acted upon, then acknowledged**. It is written once, in `commit.rs`.
//!
//! What is deliberately absent: no paths under which an API shows a node, no status codes, no
//! schema knowledge (the catalog answers every question about what may stand where), and no open
//! transaction on disk: one that was open when the process died is gone (docs/adr/0005).

mod assemble;
pub mod clock;
mod commit;
mod confirm;
mod desk;
mod engine;
mod error;
pub mod failpoint;
mod history;
mod prepare;
pub mod private_file;
mod rebase;
mod retention;
mod retry;
pub mod revision;
pub mod secrets;
mod session;
pub mod store;
mod transaction;
mod watch;

pub use assemble::SecretForm;
pub use commit::{Applier, CommitOptions, Committed};
pub use confirm::{ConfirmToken, Confirmation};
pub use desk::{Holder, Mode};
pub use engine::{Engine, Mint, Options, Revision, Status, View};
pub use error::{Error, Operation, Overlap, Refusal, chain};
pub use history::{HistoryRules, MessageRule, Page};
pub use prepare::Plan;
pub use retry::Idempotency;
pub use revision::{RevisionInfo, RevisionNumber, RevisionRecord, Timestamp};
pub use session::{Session, SessionId};
pub use watch::{Feed, Next};
